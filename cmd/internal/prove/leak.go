package prove

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/base45"
	"github.com/munjigi/munjigi/pass/cose"
)

// Search knows every spelling of what must be nowhere: an attestation, its
// payload, its signature and each half of that, the way it stands in the QR
// code; each raw, in hexadecimal, base64, base45, decimal and as a quoted
// string, and all of that inside gzip and zlib.
type Search struct {
	forms []form
	Bytes int // looked through so far, what was unpacked included
}

type form struct {
	name string
	text []byte
}

// Add takes up the attestation of a pass's text.
func (s *Search) Add(text string) error {
	data, err := base45.AppendDecoded(nil, text[len(pass.Magic)+1:])
	if err != nil {
		return err
	}
	_, item, err := cose.Decode(data)
	if err != nil {
		return err
	}
	if len(item) == 0 {
		return errors.New("this pass comes without an attestation")
	}
	m, _, err := cose.Decode(item)
	if err != nil {
		return err
	}
	const half = len(pass.ID{}) * 2 // an Ed25519 signature's R and S
	for name, secret := range map[string][]byte{
		"attestation": item, "payload": m.Payload, "signature": m.Signature,
		"first half of the signature": m.Signature[:half], "second half of the signature": m.Signature[half:],
	} {
		if len(secret) < 16 {
			return fmt.Errorf("the %s has only %d bytes: it could be found by chance", name, len(secret))
		}
		s.forms = append(s.forms, forms(name, secret)...)
	}
	return nil
}

// forms spells a secret in every way that a careless line could.
func forms(name string, secret []byte) []form {
	list := strings.Trim(fmt.Sprint(secret), "[]")
	all := []form{
		{name + ", raw", secret},
		{name + ", hex", []byte(hex.EncodeToString(secret))},
		{name + ", HEX", []byte(strings.ToUpper(hex.EncodeToString(secret)))},
		{name + ", decimal", []byte(list)},
		{name + ", decimal list", []byte(strings.ReplaceAll(list, " ", ","))},
		{name + ", quoted", []byte(strings.Trim(strconv.Quote(string(secret)), `"`))},
	}
	for _, e := range []struct {
		name        string
		text        func([]byte) string
		bytes, char int // so many bytes make so many characters
	}{
		{"base64", base64.RawStdEncoding.EncodeToString, 3, 4},
		{"base64url", base64.RawURLEncoding.EncodeToString, 3, 4},
		{"base45", func(b []byte) string { return string(base45.Append(nil, b)) }, 2, 3},
	} {
		for ahead := range e.bytes {
			// What begins in the middle of a group shares its characters with
			// a neighbour: only whole groups are sure to look the same.
			whole := secret[(e.bytes-ahead)%e.bytes:]
			whole = whole[:len(whole)/e.bytes*e.bytes]
			all = append(all, form{fmt.Sprintf("%s, %s at %d", name, e.name, ahead), []byte(e.text(whole))})
		}
	}
	return all
}

// deepest is how many wrappings are taken off, most how much comes out of one.
const deepest, most = 3, 4 << 20

// Find names each form that stands in data.
func (s *Search) Find(data []byte) []string { return s.find(data, 0) }

func (s *Search) find(data []byte, depth int) (found []string) {
	s.Bytes += len(data)
	for _, f := range s.forms {
		if bytes.Contains(data, f.text) {
			found = append(found, f.name)
		}
	}
	if depth == deepest {
		return found
	}
	for i := 0; i+2 < len(data); i++ {
		var r io.Reader
		var err error
		switch {
		case data[i] == 0x1f && data[i+1] == 0x8b && data[i+2] == 8:
			r, err = gzip.NewReader(bytes.NewReader(data[i:]))
		case data[i] == 0x78 && (int(data[i])<<8|int(data[i+1]))%31 == 0:
			r, err = zlib.NewReader(bytes.NewReader(data[i:]))
		default:
			continue
		}
		if err != nil {
			continue
		}
		// What comes out before an error counts as well.
		inside, _ := io.ReadAll(io.LimitReader(r, most))
		for _, f := range s.find(inside, depth+1) {
			found = append(found, f+", compressed")
		}
	}
	return found
}

// Files looks through every file below dir and names where something stands.
func (s *Search) Files(dir string) (found []string, err error) {
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, f := range s.Find(data) {
			found = append(found, filepath.Base(path)+": "+f)
		}
		return nil
	})
	return found, err
}
