// Package configs reads the project's TOML files strictly: a key nobody knows
// is an error that names file, line and the key that was probably meant, so
// that a slip of the pen never becomes a silent default.
//
// The sample files beside it document every key; tests parse each of them.
package configs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"

	"github.com/BurntSushi/toml"
)

// Load reads the TOML file at path into v, a pointer to a struct whose fields
// hold the defaults. Errors read "path:line: what is wrong".
func Load(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	return Decode(path, data, v)
}

// Decode is Load for data already read; name stands in errors.
func Decode(name string, data []byte, v any) error {
	md, err := toml.NewDecoder(bytes.NewReader(data)).Decode(v)
	if err != nil {
		return located(name, err)
	}
	var all []error
	reported := map[string]bool{}
	for _, key := range md.Undecoded() {
		path := key.String()
		if reported[path] || reportedParent(reported, key) {
			continue
		}
		reported[path] = true
		where := name
		if line := lineOf(data, key); line > 0 {
			where = fmt.Sprintf("%s:%d", name, line)
		}
		err := fmt.Errorf("%s: unknown key %q", where, path)
		if near := nearest(key, reflect.TypeOf(v)); near != "" {
			err = fmt.Errorf("%w, did you mean %q?", err, near)
		}
		all = append(all, err)
	}
	return errors.Join(all...)
}

// reportedParent says whether a table around key was reported: its keys add nothing.
func reportedParent(reported map[string]bool, key toml.Key) bool {
	for i := 1; i < len(key); i++ {
		if reported[key[:i].String()] {
			return true
		}
	}
	return false
}

// position is how the TOML package opens messages about a value of the wrong type.
var position = regexp.MustCompile(`^toml: line (\d+) \(last key "(.*?)"\): `)

func located(name string, err error) error {
	var p toml.ParseError
	if errors.As(err, &p) {
		if p.LastKey == "" {
			return fmt.Errorf("%s:%d: %s", name, p.Position.Line, p.Message)
		}
		return fmt.Errorf("%s:%d: near key %q: %s", name, p.Position.Line, p.LastKey, p.Message)
	}
	text := err.Error()
	if m := position.FindStringSubmatch(text); m != nil {
		return fmt.Errorf("%s:%s: key %q: %s", name, m[1], m[2], text[len(m[0]):])
	}
	return fmt.Errorf("%s: %w", name, err)
}

// lineOf finds the line of a key, 0 where it hides in an inline table. The
// TOML package knows it but does not say.
func lineOf(data []byte, key toml.Key) int {
	var table string
	for i, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			if end := strings.IndexByte(line, ']'); end > 0 {
				table = plain(strings.Trim(line[:end], "["))
				if table == plain(key.String()) {
					return i + 1
				}
			}
			continue
		}
		name, _, found := strings.Cut(line, "=")
		if !found || strings.HasPrefix(line, "#") {
			continue
		}
		full := plain(name)
		if table != "" {
			full = table + "." + full
		}
		if want := plain(key.String()); full == want || strings.HasPrefix(full, want+".") {
			return i + 1
		}
	}
	return 0
}

// plain removes blanks and quotes from a dotted key.
func plain(key string) string {
	return strings.NewReplacer(" ", "", "\t", "", `"`, "", "'", "").Replace(key)
}

// nearest is the key beside an unknown one that differs least from it, or ""
// where none is near.
func nearest(key toml.Key, t reflect.Type) string {
	t = element(t)
	for _, part := range key[:len(key)-1] {
		if t.Kind() == reflect.Map {
			t = element(t.Elem())
			continue
		}
		f, ok := fieldOf(t, part)
		if !ok {
			return ""
		}
		t = element(f)
	}
	if t.Kind() != reflect.Struct {
		return ""
	}
	last := strings.ToLower(key[len(key)-1])
	best, least := "", len([]rune(last))/3+1
	for i := range t.NumField() {
		if name := nameOf(t.Field(i)); name != "" {
			if d := distance(last, name); d < least {
				best, least = name, d
			}
		}
	}
	return best
}

// element looks through pointers, slices and arrays.
func element(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Array {
		t = t.Elem()
	}
	return t
}

func fieldOf(t reflect.Type, name string) (reflect.Type, bool) {
	if t.Kind() != reflect.Struct {
		return nil, false
	}
	for i := range t.NumField() {
		if strings.EqualFold(nameOf(t.Field(i)), name) {
			return t.Field(i).Type, true
		}
	}
	return nil, false
}

// nameOf is the key a field is written as, "" where it takes none.
func nameOf(f reflect.StructField) string {
	tag, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
	switch {
	case tag == "-" || !f.IsExported():
		return ""
	case tag != "":
		return tag
	}
	return strings.ToLower(f.Name)
}

// distance is the edit distance of two words (Levenshtein).
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		above := row[0]
		row[0] = i + 1
		for j := range y {
			cost := above
			if x[i] != y[j] {
				cost++
			}
			above = row[j+1]
			row[j+1] = min(cost, above+1, row[j]+1)
		}
	}
	return row[len(y)]
}
