// Checks fork evidence (`fork-<n>.tlog-fork`) with golang.org/x/mod/sumdb alone: both notes must be signed by the log's key
// and contradict each other. Then the same file with any one byte flipped, and a file about an honest log, must convict
// nobody.
// Usage: go run verify_fork.go head.go DIR; it has log.vkey, <reason>.tlog-fork for each reason, and honest.tlog-fork.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

type evidence struct {
	reason   string
	old, new []byte
	proof    tlog.TreeProof
}

// One section: its name, a length, and that many bytes.
func section(data []byte, name string) (content, rest []byte, err error) {
	line, rest, found := bytes.Cut(data, []byte("\n"))
	size, err := strconv.Atoi(strings.TrimPrefix(string(line), name+" "))
	if !found || err != nil || !bytes.HasPrefix(line, []byte(name+" ")) || size < 0 || size > len(rest) {
		return nil, nil, fmt.Errorf("no section %s", name)
	}
	return rest[:size], rest[size:], nil
}

func parse(data []byte) (evidence, error) {
	prefix := []byte("carnet-fork/v1\nreason ")
	found := bytes.HasPrefix(data, prefix) // Debian 12's Go has no bytes.CutPrefix
	rest := bytes.TrimPrefix(data, prefix)
	reason, rest, ended := bytes.Cut(rest, []byte("\n"))
	if !found || !ended {
		return evidence{}, errors.New("no fork evidence")
	}
	e := evidence{reason: string(reason)}
	var proof []byte
	var err error
	if e.old, rest, err = section(rest, "old"); err != nil {
		return e, err
	}
	if e.new, rest, err = section(rest, "new"); err != nil {
		return e, err
	}
	if proof, rest, err = section(rest, "proof"); err != nil || len(rest) > 0 {
		return e, errors.New("no proof, or something after it")
	}
	for _, line := range strings.Fields(string(proof)) {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return e, err
		}
		e.proof = append(e.proof, hash)
	}
	return e, nil
}

// What the file shows, or why it shows nothing.
func judge(data []byte, vkey string) (string, error) {
	e, err := parse(data)
	if err != nil {
		return "", err
	}
	older, err := openHead(e.old, vkey)
	if err != nil {
		return "", err
	}
	newer, err := openHead(e.new, vkey)
	if err != nil {
		return "", err
	}
	switch {
	case e.reason == "other-root" && older.N == newer.N && older.Hash != newer.Hash:
		return fmt.Sprintf("the log signed two roots at %d records", older.N), nil
	case e.reason == "smaller" && newer.N < older.N:
		return fmt.Sprintf("%d records were shown after %d", newer.N, older.N), nil
	case e.reason == "bad-proof" && newer.N > older.N &&
		tlog.CheckTree(e.proof, newer.N, newer.Hash, older.N, older.Hash) != nil:
		return fmt.Sprintf("the proof from %d to %d records does not hold", older.N, newer.N), nil
	}
	return "", errors.New("the two heads do not contradict each other so")
}

func check(dir string) error {
	vkey, err := os.ReadFile(filepath.Join(dir, "log.vkey"))
	if err != nil {
		return err
	}
	for _, reason := range []string{"other-root", "smaller", "bad-proof"} {
		data, err := os.ReadFile(filepath.Join(dir, reason+".tlog-fork"))
		if err != nil {
			return err
		}
		says, err := judge(data, string(vkey))
		if err != nil {
			return fmt.Errorf("%s: %v", reason, err)
		}
		refused := 0
		for at := range data {
			flipped := append([]byte(nil), data...)
			flipped[at] ^= 1
			// A proof that does not hold, changed, still does not hold.
			if _, err := judge(flipped, string(vkey)); err == nil && reason != "bad-proof" {
				return fmt.Errorf("%s: convicts with byte %d flipped", reason, at)
			} else if err != nil {
				refused++
			}
		}
		fmt.Printf("%s: %s; refused with any of %d bytes flipped\n", reason, says, refused)
	}
	honest, err := os.ReadFile(filepath.Join(dir, "honest.tlog-fork"))
	if err != nil {
		return err
	}
	if says, err := judge(honest, string(vkey)); err == nil {
		return fmt.Errorf("an honest log is convicted: %s", says)
	}
	fmt.Println("an honest log is not convicted")
	return nil
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: verify_fork DIR")
	}
	if err := check(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}
