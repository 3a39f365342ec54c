//go:build !linux

package display

import "errors"

// Framebuffer is there on Linux only.
func Framebuffer(path string, rotate int) Opener {
	return func() (Panel, error) {
		return nil, errors.New("display panel fb:" + path + ": framebuffers are there on Linux only")
	}
}
