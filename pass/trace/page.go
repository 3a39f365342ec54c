package trace

import (
	"fmt"

	"github.com/munjigi/munjigi/pass/cose"
)

// PageSize is the largest number of groups in a page of letters.
const PageSize = 8

// Page is some of an inquiry's letters, as the registry hands them to the
// officer who asked. Each letter in it is signed and sealed; the page is not.
type Page struct {
	Report []byte    `cbor:"1,keyasint"`
	Groups []Letters `cbor:"2,keyasint"` // at most PageSize, fewer on the last page
}

// Letters are what belongs to one group.
type Letters struct {
	Issuer string `cbor:"1,keyasint"`
	Group  []byte `cbor:"2,keyasint"` // empty once it is answered or past its time
	Sheet  []byte `cbor:"3,keyasint"`
	Answer []byte `cbor:"4,keyasint"` // empty while there is none
}

// Encode returns the body of a page.
func (p Page) Encode() ([]byte, error) {
	if p.Groups == nil {
		p.Groups = []Letters{}
	}
	return cose.Marshal(p)
}

// DecodePage reads the body of a page; the letters in it are not opened.
func DecodePage(body []byte) (Page, error) {
	var p Page
	if err := cose.Unmarshal(body, &p); err != nil {
		return Page{}, fmt.Errorf("read a page of letters: %w", err)
	}
	if len(p.Groups) > PageSize {
		return Page{}, ErrContent
	}
	return p, nil
}

// Encode and DecodePlace are how a place is kept.
func (p Place) Encode() ([]byte, error) { return cose.Marshal(p) }

// DecodePlace reads a place that Encode wrote.
func DecodePlace(raw []byte) (p Place, err error) {
	err = cose.Unmarshal(raw, &p)
	return p, err
}
