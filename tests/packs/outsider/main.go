// Command outsider checks the proofs of an unpacked evidence pack with code that is none of ours:
// golang.org/x/mod/sumdb.
//
// Arguments: the folder that a pack was unpacked into, and the verifier key of its log. It prints "ok" and the number
// of leaves that are in the log of the pack's checkpoint, or says what failed and ends with 1.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func fail(format string, values ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", values...)
	os.Exit(1)
}

func must[T any](value T, err error) T {
	if err != nil {
		fail("%v", err)
	}
	return value
}

func main() {
	folder := os.Args[1]
	signed := string(must(os.ReadFile(filepath.Join(folder, "checkpoint"))))
	verifiers := note.VerifierList(must(note.NewVerifier(os.Args[2])))
	opened := must(note.Open([]byte(signed), verifiers))
	lines := strings.Split(opened.Text, "\n")
	if lines[0] != opened.Sigs[0].Name {
		fail("origin %q, signed by %q", lines[0], opened.Sigs[0].Name)
	}
	size := must(strconv.ParseInt(lines[1], 10, 64))
	root := must(tlog.ParseHash(lines[2]))

	entries := must(os.ReadDir(filepath.Join(folder, "entries")))
	for _, file := range entries {
		entry := must(os.ReadFile(filepath.Join(folder, "entries", file.Name())))
		text := string(must(os.ReadFile(filepath.Join(folder, "proofs", file.Name()+".tlog-proof"))))
		head, rest, _ := strings.Cut(text, "\n\n")
		if rest != signed {
			fail("leaf %s: another checkpoint", file.Name())
		}
		words := strings.Split(head, "\n")
		if words[0] != "c2sp.org/tlog-proof@v1" || words[1] != "index "+file.Name() {
			fail("leaf %s: %q", file.Name(), words[:2])
		}
		var proof tlog.RecordProof
		for _, hash := range words[2:] {
			proof = append(proof, must(tlog.ParseHash(hash)))
		}
		index := must(strconv.ParseInt(file.Name(), 10, 64))
		if err := tlog.CheckRecord(proof, size, root, index, tlog.RecordHash(entry)); err != nil {
			fail("leaf %d: %v", index, err)
		}
	}
	fmt.Println("ok", len(entries))
}
