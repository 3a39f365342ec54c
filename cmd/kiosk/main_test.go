package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the test binary the kiosk command where it is called so.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kiosk": main})
}
