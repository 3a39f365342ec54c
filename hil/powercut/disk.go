//go:build linux && amd64

package main

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the registry's database
)

// tool runs a program of e2fsprogs, which may lie where only root looks.
func tool(name string, args ...string) error {
	path, err := exec.LookPath(name)
	if err != nil {
		path = filepath.Join("/usr/sbin", name)
	}
	if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// recovered copies an image, plays its file system's journal back as a mount
// would, and holds that nothing is left to repair.
func recovered(from, to string) error {
	if out, err := exec.Command("cp", "--sparse=always", from, to).CombinedOutput(); err != nil {
		return fmt.Errorf("copy the disk: %w\n%s", err, out)
	}
	return clean(to)
}

func clean(image string) error {
	if err := tool("e2fsck", "-E", "journal_only", "-y", image); err != nil {
		return err
	}
	return tool("e2fsck", "-fn", image)
}

// atRegistry counts the visits that the registry's disk holds, by number.
func (k *killer) atRegistry() (map[uint64]int, error) {
	image := filepath.Join(k.work, "registry.img")
	if err := recovered(k.registry, image); err != nil {
		return nil, err
	}
	for _, extra := range []string{"-wal", "-shm"} {
		os.Remove(filepath.Join(k.work, "registry.db"+extra))
	}
	file, err := dump(image, "/registry/registry.db", k.work)
	if err != nil {
		return nil, err
	}
	if _, err := dump(image, "/registry/registry.db-wal", k.work); err != nil && !strings.Contains(err.Error(), "is not in the image") {
		return nil, err
	}
	db, err := sql.Open("sqlite", "file:"+file)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.Query("SELECT seq FROM visits")
	if err != nil {
		return nil, fmt.Errorf("read the registry's database: %w", err)
	}
	defer rows.Close()
	sent := map[uint64]int{}
	for rows.Next() {
		var seq uint64
		if err := rows.Scan(&seq); err != nil {
			return nil, err
		}
		sent[seq]++
	}
	return sent, rows.Err()
}
