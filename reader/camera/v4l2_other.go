//go:build !linux

package camera

import "fmt"

func openV4L2(c Config) (Source, error) {
	return nil, fmt.Errorf("%s: V4L2 devices exist on Linux only: %w", c.Source, ErrUnsupported)
}
