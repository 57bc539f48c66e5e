"""The broker's own signing keys for JSON Web Tokens: made, published ahead, rotated, kept until the last token ends."""
