// Checks an exported log with golang.org/x/mod/sumdb (Go's checksum database): head, tiles, every entry with its proof,
// consistency with earlier heads. Then the same log with one flipped byte in each of its files must fail.
// Usage: go run verify_tlog.go DIR...; each DIR has tiles/, log.vkey and heads/.
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Reads a resource of the log by its path.
type source func(path string) ([]byte, error)

type tileReader struct{ read source }

func (tileReader) Height() int                     { return 8 }
func (tileReader) SaveTiles([]tlog.Tile, [][]byte) {}
func (r tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		// Go's checksum database has the height in its paths, C2SP does not.
		data, err := r.read(strings.Replace(tile.Path(), "tile/8/", "tile/", 1))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

// The head of a note. tlog.ParseTree wants the origin of Go's own database.
func openHead(text []byte, vkey string) (tlog.Tree, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tlog.Tree{}, err
	}
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, errors.New("not a head of this log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

func readEntries(read source, size int64) ([][]byte, error) {
	var entries [][]byte
	for first := int64(0); first < size; first += 256 {
		width := size - first
		if width > 256 {
			width = 256
		}
		tile := tlog.Tile{H: 8, L: -1, N: first / 256, W: int(width)}
		data, err := read(strings.Replace(tile.Path(), "tile/8/data", "tile/entries", 1))
		if err != nil {
			return nil, err
		}
		for len(data) > 0 {
			if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
				return nil, errors.New("a malformed entry bundle")
			}
			length := int(binary.BigEndian.Uint16(data))
			entries = append(entries, data[2:2+length])
			data = data[2+length:]
		}
	}
	if int64(len(entries)) != size {
		return nil, fmt.Errorf("%d entries, the head says %d", len(entries), size)
	}
	return entries, nil
}

func verify(read source, vkey string, oldHeads [][]byte) (int64, error) {
	text, err := read("checkpoint")
	if err != nil {
		return 0, err
	}
	tree, err := openHead(text, vkey)
	if err != nil {
		return 0, err
	}
	entries, err := readEntries(read, tree.N)
	if err != nil {
		return 0, err
	}
	hashes := tlog.TileHashReader(tree, tileReader{read})
	for index, entry := range entries {
		proof, err := tlog.ProveRecord(tree.N, int64(index), hashes)
		if err != nil {
			return 0, err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, int64(index), tlog.RecordHash(entry)); err != nil {
			return 0, fmt.Errorf("entry %d: %v", index, err)
		}
	}
	for _, oldText := range oldHeads {
		old, err := openHead(oldText, vkey)
		if err != nil {
			return 0, err
		}
		proof, err := tlog.ProveTree(tree.N, old.N, hashes)
		if err != nil {
			return 0, err
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash); err != nil {
			return 0, fmt.Errorf("head of %d: %v", old.N, err)
		}
	}
	return tree.N, nil
}

// Every file of the log, flipped at its first, middle and last byte.
func checkTampered(root string, read source, vkey string, oldHeads [][]byte) (int, error) {
	refused := 0
	err := filepath.Walk(root, func(path string, info os.FileInfo, err error) error {
		name, _ := filepath.Rel(root, path)
		if err != nil || info.IsDir() || strings.HasPrefix(name, "statements") {
			return err
		}
		for _, at := range []int64{0, info.Size() / 2, info.Size() - 1} {
			flipped := func(wanted string) ([]byte, error) {
				data, err := read(wanted)
				if err == nil && wanted == filepath.ToSlash(name) {
					data = append([]byte(nil), data...)
					data[at] ^= 1
				}
				return data, err
			}
			if _, err := verify(flipped, vkey, oldHeads); err == nil {
				return fmt.Errorf("%s: accepted with byte %d flipped", name, at)
			}
			refused++
		}
		return nil
	})
	return refused, err
}

func checkDirectory(dir string) error {
	vkey, err := os.ReadFile(filepath.Join(dir, "log.vkey"))
	if err != nil {
		return err
	}
	var oldHeads [][]byte
	names, err := filepath.Glob(filepath.Join(dir, "heads", "*"))
	if err != nil {
		return err
	}
	for _, name := range names {
		head, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		oldHeads = append(oldHeads, head)
	}
	root := filepath.Join(dir, "tiles")
	read := func(path string) ([]byte, error) { return os.ReadFile(filepath.Join(root, filepath.FromSlash(path))) }
	size, err := verify(read, string(vkey), oldHeads)
	if err != nil {
		return err
	}
	refused, err := checkTampered(root, read, string(vkey), oldHeads)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d entries and %d earlier heads verified, %d tampered logs refused\n", dir, size, len(oldHeads), refused)
	return nil
}

func main() {
	for _, dir := range os.Args[1:] {
		if err := checkDirectory(dir); err != nil {
			log.Fatalf("%s: %v", dir, err)
		}
	}
	if len(os.Args) < 2 {
		log.Fatal("usage: verify_tlog DIR...")
	}
}
