// Checks an exported log with golang.org/x/mod/sumdb (Go's checksum database): head, every entry, every tile that the size
// implies, proofs, consistency with earlier heads. Then the same log with one flipped byte in each of its files must fail.
// Of a large log, proofs and flipped files are samples: the first and last ones, and those at the borders of tiles.
// Usage: go run verify_tlog.go head.go DIR...; each DIR has tiles/, log.vkey and heads/.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

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

// RFC 6962 §2.1
var emptyRoot = tlog.Hash(sha256.Sum256(nil))

// Larger logs are sampled.
const exhaustive = 4096

// The tree of the entries alone, built without any tile: its root must be the head's, and each tile that Go would publish
// for a log of this size must be served with the same bytes.
func checkTiles(read source, tree tlog.Tree, entries [][]byte) error {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			hashes[i] = stored[index]
		}
		return hashes, nil
	})
	for index, entry := range entries {
		hashes, err := tlog.StoredHashes(int64(index), entry, reader)
		if err != nil {
			return err
		}
		stored = append(stored, hashes...)
	}
	root := emptyRoot
	if tree.N > 0 {
		var err error
		if root, err = tlog.TreeHash(tree.N, reader); err != nil {
			return err
		}
	}
	if root != tree.Hash {
		return errors.New("the entries do not give the root of the head")
	}
	tiles := tlog.NewTiles(8, 0, tree.N)
	for i, tile := range tiles {
		if i+1 < len(tiles) && tiles[i+1].L == tile.L && tiles[i+1].N == tile.N {
			continue // a partial tile of an earlier size
		}
		expected, err := tlog.ReadTileData(tile, reader)
		if err != nil {
			return err
		}
		served, err := tileReader{read}.ReadTiles([]tlog.Tile{tile})
		if err != nil {
			return err
		}
		if !bytes.Equal(served[0], expected) {
			return fmt.Errorf("%s: other hashes than those of its entries", tile.Path())
		}
	}
	return nil
}

// The entries whose proofs are checked.
func sample(size int64) []int64 {
	var indexes []int64
	for index := int64(0); index < size; index++ {
		// Up to two entries from a border of tiles, and now and then one.
		fromBorder := (index + 2) % 65536
		if size <= exhaustive || index+2 >= size || fromBorder < 4 || index%1009 == 0 {
			indexes = append(indexes, index)
		}
	}
	return indexes
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
	if err := checkTiles(read, tree, entries); err != nil {
		return 0, err
	}
	hashes := tlog.TileHashReader(tree, tileReader{read})
	for _, index := range sample(tree.N) {
		proof, err := tlog.ProveRecord(tree.N, index, hashes)
		if err != nil {
			return 0, err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entries[index])); err != nil {
			return 0, fmt.Errorf("entry %d: %v", index, err)
		}
	}
	for _, oldText := range oldHeads {
		old, err := openHead(oldText, vkey)
		if err != nil {
			return 0, err
		}
		if old.N == 0 {
			// Every log extends the empty one; x/mod knows no proof of that.
			if old.Hash != emptyRoot {
				return 0, errors.New("a head of no records with another root than the empty tree's")
			}
			continue
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

// The files that are flipped, below `root`: all of them, or the first and the last of each kind.
func filesToFlip(root string, size int64) ([]string, error) {
	kinds := map[string][]string{}
	err := filepath.Walk(root, func(path string, info os.FileInfo, err error) error {
		name, _ := filepath.Rel(root, path)
		if err != nil || info.IsDir() || strings.HasPrefix(name, "statements") {
			return err
		}
		name = filepath.ToSlash(name)
		parts := strings.SplitN(name, "/", 3)
		kind := strings.Join(parts[:len(parts)-1], "/")
		kinds[kind] = append(kinds[kind], name)
		return nil
	})
	var names []string
	for _, all := range kinds {
		if size > exhaustive && len(all) > 2 {
			all = []string{all[0], all[len(all)-1]}
		}
		names = append(names, all...)
	}
	return names, err
}

// Those files, flipped at their first, middle and last byte; of a large log at the middle one.
func checkTampered(root string, read source, vkey string, oldHeads [][]byte, size int64) (int, error) {
	names, err := filesToFlip(root, size)
	if err != nil {
		return 0, err
	}
	refused := 0
	for _, name := range names {
		good, err := read(name)
		if err != nil {
			return 0, err
		}
		positions := []int{0, len(good) / 2, len(good) - 1}
		if size > exhaustive {
			positions = positions[1:2]
		}
		for _, at := range positions {
			flipped := func(wanted string) ([]byte, error) {
				data, err := read(wanted)
				if err == nil && wanted == name {
					data = append([]byte(nil), data...)
					data[at] ^= 1
				}
				return data, err
			}
			if _, err := verify(flipped, vkey, oldHeads); err == nil {
				return 0, fmt.Errorf("%s: accepted with byte %d flipped", name, at)
			}
			refused++
		}
	}
	return refused, nil
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
	refused, err := checkTampered(root, read, string(vkey), oldHeads, size)
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
