package store

import (
	"fmt"
	"os"
)

// DayKeys is the folder of the day keys.
type DayKeys struct{ dir string }

// OpenDayKeys opens the folder at dir, which is created readable by its owner
// only. It belongs on a disk of the registry that no backup copies.
func OpenDayKeys(dir string) (*DayKeys, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the folder of day keys: %w", err)
	}
	return &DayKeys{dir: dir}, nil
}
