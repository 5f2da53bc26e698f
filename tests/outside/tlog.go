// Checks an export with Go's own reader of transparency logs (golang.org/x/mod/sumdb, as it guards Go's modules).
//
//	tlog VKEY DIR [CHECKPOINT]...
//
// Verifies the checkpoint, reads all entries through tiles that are authenticated against it, proves a sample of entries
// and the growth from each CHECKPOINT, and makes sure that changed proofs are refused. Exit 0: accepted. 1: refused.
// 3: something wrong was accepted.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8
const sample = 60

func refuse(why string, facts ...any) {
	fmt.Printf("refused: "+why+"\n", facts...)
	os.Exit(1)
}

func must[T any](value T, err error) T {
	if err != nil {
		refuse("%v", err)
	}
	return value
}

// The size and root of a signed checkpoint.
func open(path, vkey string) tlog.Tree {
	verifier := must(note.NewVerifier(vkey))
	opened := must(note.Open(must(os.ReadFile(path)), note.VerifierList(verifier)))
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		refuse("the checkpoint has another form")
	}
	size := must(strconv.ParseInt(lines[1], 10, 64))
	root := must(base64.StdEncoding.Strict().DecodeString(lines[2]))
	if len(root) != tlog.HashSize {
		refuse("the root is no hash")
	}
	var hash tlog.Hash
	copy(hash[:], root)
	return tlog.Tree{N: size, Hash: hash}
}

// Go's paths have the height of tiles in them, and `data` for entries.
type folder string

func (f folder) read(tile tlog.Tile) ([]byte, error) {
	path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
	return os.ReadFile(filepath.Join(string(f), strings.Replace(path, "tile/data/", "tile/entries/", 1)))
}

func (f folder) Height() int { return height }

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		data, err := f.read(tile)
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}

// The hashes of all entries, in order.
func entries(f folder, size int64) []tlog.Hash {
	var all []tlog.Hash
	for index := int64(0); index*256 < size; index++ {
		width := size - index*256
		if width > 256 {
			width = 256
		}
		data := must(f.read(tlog.Tile{H: height, L: -1, N: index, W: int(width)}))
		for ; width > 0; width-- {
			if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
				refuse("a bundle of entries is cut off")
			}
			length := int(binary.BigEndian.Uint16(data))
			all = append(all, tlog.RecordHash(data[2:2+length]))
			data = data[2+length:]
		}
		if len(data) > 0 {
			refuse("a bundle of entries is too long")
		}
	}
	return all
}

// Every way in which a list of hashes is damaged once.
func damaged(proof []tlog.Hash) [][]tlog.Hash {
	all := [][]tlog.Hash{append(append([]tlog.Hash{}, proof...), tlog.Hash{})}
	for at := range proof {
		flipped := append([]tlog.Hash{}, proof...)
		flipped[at][at%tlog.HashSize] ^= 1
		all = append(all, flipped, append(append([]tlog.Hash{}, proof[:at]...), proof[at+1:]...))
		if at > 0 && proof[at] != proof[at-1] {
			swapped := append([]tlog.Hash{}, proof...)
			swapped[at], swapped[at-1] = swapped[at-1], swapped[at]
			all = append(all, swapped)
		}
	}
	return all
}

func main() {
	vkey, f := os.Args[1], folder(os.Args[2])
	tree := open(filepath.Join(string(f), "checkpoint"), vkey)
	if tree.N < 1 {
		refuse("an empty ledger")
	}
	reader := tlog.TileHashReader(tree, f)
	hashes := entries(f, tree.N)
	indexes := make([]int64, tree.N)
	for at := range indexes {
		indexes[at] = tlog.StoredHashIndex(0, int64(at))
	}
	for at, hash := range must(reader.ReadHashes(indexes)) {
		if hash != hashes[at] {
			refuse("entry %d is not the one of its tile", at)
		}
	}
	if must(tlog.TreeHash(tree.N, reader)) != tree.Hash {
		refuse("another root")
	}
	refused := 0
	wrong := func(what string, err error) {
		if err == nil {
			fmt.Printf("accepted although it is wrong: %s\n", what)
			os.Exit(3)
		}
		refused++
	}
	step := tree.N/sample + 1
	for at := int64(0); at < tree.N; at += step {
		proof := must(tlog.ProveRecord(tree.N, at, reader))
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, at, hashes[at]); err != nil {
			refuse("entry %d: %v", at, err)
		}
		other := hashes[at]
		other[7] ^= 1
		wrong("another entry", tlog.CheckRecord(proof, tree.N, tree.Hash, at, other))
		for _, bad := range damaged(proof) {
			wrong("a damaged proof", tlog.CheckRecord(bad, tree.N, tree.Hash, at, hashes[at]))
		}
	}
	for _, path := range os.Args[3:] {
		old := open(path, vkey)
		proof := must(tlog.ProveTree(tree.N, old.N, reader))
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash); err != nil {
			refuse("growth from %d: %v", old.N, err)
		}
		other := old.Hash
		other[7] ^= 1
		wrong("another past", tlog.CheckTree(proof, tree.N, tree.Hash, old.N, other))
		for _, bad := range damaged(proof) {
			wrong("a damaged proof of growth", tlog.CheckTree(bad, tree.N, tree.Hash, old.N, old.Hash))
		}
	}
	fmt.Printf("accepted: %d entries; %d damaged proofs refused\n", tree.N, refused)
}
