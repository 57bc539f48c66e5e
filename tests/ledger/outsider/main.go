// Command outsider checks a log made by custody with code that is none of ours: golang.org/x/mod/sumdb.
//
// Arguments: the folder of the log, its verifier key, the size and root (base64) of an older checkpoint. Standard
// input: one proof a line, "record <index> <leaf hash> <hash>…" or "tree <hash>…", all base64. It prints "ok" and the
// number of proofs, or says what failed and ends with 1.
package main

import (
	"bufio"
	"encoding/base64"
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

// files reads tiles from a folder; tlog-tiles leaves out the tile height that is in the paths of tlog.
type files string

func (f files) Height() int                      { return 8 }
func (f files) SaveTiles([]tlog.Tile, [][]byte) {}
func (f files) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		path := "tile/" + strings.TrimPrefix(tile.Path(), "tile/8/")
		data, err := os.ReadFile(filepath.Join(string(f), path))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func hashes(words []string) []tlog.Hash {
	var all []tlog.Hash
	for _, word := range words {
		all = append(all, must(tlog.ParseHash(word)))
	}
	return all
}

func main() {
	folder := os.Args[1]
	oldSize := must(strconv.ParseInt(os.Args[3], 10, 64))
	oldRoot := must(tlog.ParseHash(os.Args[4]))

	signed := must(os.ReadFile(filepath.Join(folder, "checkpoint")))
	opened := must(note.Open(signed, note.VerifierList(must(note.NewVerifier(os.Args[2])))))
	lines := strings.Split(opened.Text, "\n")
	if lines[0] != opened.Sigs[0].Name {
		fail("origin %q, signed by %q", lines[0], opened.Sigs[0].Name)
	}
	tree := tlog.Tree{N: must(strconv.ParseInt(lines[1], 10, 64)), Hash: must(tlog.ParseHash(lines[2]))}

	reader := tlog.TileHashReader(tree, files(folder))
	if root := must(tlog.TreeHash(tree.N, reader)); root != tree.Hash {
		fail("tiles give root %v, the checkpoint says %v", root, tree.Hash)
	}

	count := 0
	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
		words := strings.Fields(input.Text())
		switch words[0] {
		case "record":
			index := must(strconv.ParseInt(words[1], 10, 64))
			given := hashes(words[2:])
			if err := tlog.CheckRecord(given[1:], tree.N, tree.Hash, index, given[0]); err != nil {
				fail("record %d: %v", index, err)
			}
			ours := must(tlog.ProveRecord(tree.N, index, reader))
			if fmt.Sprint(ours) != fmt.Sprint(tlog.RecordProof(given[1:])) {
				fail("record %d: another proof", index)
			}
			if read := must(reader.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})); read[0] != given[0] {
				fail("record %d: another leaf in the tile", index)
			}
		case "tree":
			if err := tlog.CheckTree(hashes(words[1:]), tree.N, tree.Hash, oldSize, oldRoot); err != nil {
				fail("tree: %v", err)
			}
		default:
			fail("what is %q", base64.StdEncoding.EncodeToString(input.Bytes()))
		}
		count++
	}
	fmt.Println("ok", count)
}
