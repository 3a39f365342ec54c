// Command sbom prints a program's bill of materials as CycloneDX 1.5 JSON
// (ECMA-424): every Go module it was built from with version and checksum, as the
// linker wrote them into it. Same program, same bytes: no time, no serial number.
//
//	sbom PROGRAM
package main

import (
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

type document struct {
	Format     string      `json:"bomFormat"`
	Spec       string      `json:"specVersion"`
	Version    int         `json:"version"`
	Metadata   metadata    `json:"metadata"`
	Components []component `json:"components"`
}

type metadata struct {
	Component component `json:"component"`
}

type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	PURL       string     `json:"purl,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: sbom PROGRAM")
		os.Exit(2)
	}
	if err := write(os.Stdout, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

// write prints the bill of the program at path.
func write(w io.Writer, path string) error {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read what %s was built from: %w", path, err)
	}
	name := filepath.Base(path)
	d := document{Format: "CycloneDX", Spec: "1.5", Version: 1, Components: []component{}}
	d.Metadata.Component = component{Type: "application", Ref: name, Name: name, Version: info.Main.Version, PURL: purl(info.Main.Path, info.Main.Version)}
	for _, s := range info.Settings {
		switch s.Key {
		case "GOARCH", "CGO_ENABLED", "vcs.revision", "vcs.modified", "-tags":
			d.Metadata.Component.Properties = append(d.Metadata.Component.Properties, property{"go:" + s.Key, s.Value})
		}
	}
	d.Components = append(d.Components, component{Type: "library", Ref: "std", Name: "std", Version: info.GoVersion, PURL: purl("std", strings.TrimPrefix(info.GoVersion, "go"))})
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		c := component{Type: "library", Ref: m.Path + "@" + m.Version, Name: m.Path, Version: m.Version, PURL: purl(m.Path, m.Version)}
		// The module's tree hash (golang.org/x/mod/sumdb/dirhash), not a file's.
		if b, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.Sum, "h1:")); err == nil && len(b) > 0 {
			c.Properties = []property{{"go:h1", hex.EncodeToString(b)}}
		}
		d.Components = append(d.Components, c)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(d)
}

// purl is a module's package URL.
func purl(module, version string) string { return "pkg:golang/" + module + "@" + version }
