//go:build !linux

package lines

func keepInput(open func() error) error { return open() }
