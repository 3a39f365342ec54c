// Package munjigi holds only the test of how its packages may lean on one
// another; docs/architecture.md has the picture.
package munjigi

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/munjigi/munjigi/"

// TestArrows holds the house together: imports point downwards only.
func TestArrows(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}}: {{join .Imports \" \"}}", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	// What each part of the house may import besides itself and the libraries.
	below := map[string]string{
		"pass":     "",
		"configs":  "",
		"reader":   "pass",
		"audio":    "pass",
		"display":  "pass",
		"uplink":   "pass",
		"kiosk":    "pass reader audio display uplink",
		"registry": "pass configs",
		"issuer":   "pass configs",
		"cmd":      "pass configs reader audio display uplink kiosk registry issuer",
		"hil":      "pass configs reader audio display uplink kiosk registry issuer cmd",
		"image":    "pass configs reader",
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		importer, imports, _ := strings.Cut(strings.TrimSpace(line), ": ")
		from, ok := part(importer)
		if !ok {
			continue
		}
		allowed, known := below[from]
		if !known {
			t.Errorf("%s stands in no part of the house: give it a place in docs/architecture.md and here", importer)
			continue
		}
		seen[from] = true
		for _, path := range strings.Fields(imports) {
			to, ours := part(path)
			if !ours || to == from || strings.Contains(" "+allowed+" ", " "+to+" ") {
				continue
			}
			t.Errorf("%s imports %s: the arrow from %s to %s is not in the house", importer, path, from, to)
		}
	}
	for p := range below {
		if !seen[p] && p != "hil" {
			t.Errorf("no package was found in %s: has it moved?", p)
		}
	}
}

// part is the first folder of a package of this module.
func part(path string) (string, bool) {
	rest, ours := strings.CutPrefix(path, module)
	first, _, _ := strings.Cut(rest, "/")
	return first, ours
}
