package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestWrite lists what this test's own program was built from.
func TestWrite(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var first, second bytes.Buffer
	for _, b := range []*bytes.Buffer{&first, &second} {
		if err := write(b, self); err != nil {
			t.Fatal(err)
		}
	}
	if first.String() != second.String() {
		t.Error("the same program has two bills of materials")
	}
	var d document
	if err := json.Unmarshal(first.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	if d.Format != "CycloneDX" || len(d.Components) == 0 || d.Components[0].Name != "std" || !strings.HasPrefix(d.Components[0].Version, "go1.") {
		t.Errorf("got %+v", d)
	}
}

func TestWriteNoProgram(t *testing.T) {
	if err := write(new(bytes.Buffer), "main.go"); err == nil {
		t.Error("a text file has a bill of materials")
	}
}
