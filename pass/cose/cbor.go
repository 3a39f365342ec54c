package cose

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/fxamacker/cbor/v2"
)

var (
	// ErrTruncated is returned where the bytes end before the item does.
	ErrTruncated = errors.New("cbor item is cut short")
	// ErrNonCanonical is returned for well-formed bytes that are not the core
	// deterministic encoding (RFC 8949, section 4.2.1) of what they say:
	// longer integers than needed, unsorted or repeated keys, indefinite
	// lengths, bytes behind the item.
	ErrNonCanonical = errors.New("cbor is not in its deterministic form")
	// ErrMalformed is returned for everything else that is not of the shape
	// that was asked for.
	ErrMalformed = errors.New("cbor is not of the expected shape")
)

// Both modes are made of constant options, so an error here is a mistake in
// this file; it is kept and returned by every call instead of a panic.
var (
	encoder, encoderErr = cbor.CoreDetEncOptions().EncMode()
	decoder, decoderErr = cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		MaxNestedLevels:   8,
		MaxArrayElements:  4096,
		MaxMapPairs:       4096,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		UTF8:              cbor.UTF8RejectInvalid,
	}.DecMode()
)

// Marshal returns the core deterministic encoding of v (RFC 8949, section 4.2.1).
func Marshal(v any) ([]byte, error) {
	if encoderErr != nil {
		return nil, encoderErr
	}
	return encoder.Marshal(v)
}

// Unmarshal decodes the one item that data holds into v, a pointer to a struct
// of toarray or keyasint fields. Unknown keys, repeated keys, tags, indefinite
// lengths, trailing bytes and every encoding but the deterministic one are
// refused with ErrTruncated, ErrNonCanonical or ErrMalformed.
func Unmarshal(data []byte, v any) error {
	rest, err := UnmarshalFirst(data, v)
	if err == nil && len(rest) > 0 {
		return fmt.Errorf("%w: %d bytes behind the item", ErrNonCanonical, len(rest))
	}
	return err
}

// UnmarshalFirst is Unmarshal for the first item of a CBOR sequence (RFC 8742);
// it returns the bytes behind that item.
func UnmarshalFirst(data []byte, v any) (rest []byte, err error) {
	if decoderErr != nil {
		return nil, decoderErr
	}
	rest, err = decoder.UnmarshalFirst(data, v)
	if err != nil {
		return nil, classify(err)
	}
	again, err := Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if !bytes.Equal(again, data[:len(data)-len(rest)]) {
		return nil, ErrNonCanonical
	}
	return rest, nil
}

func classify(err error) error {
	var (
		dup   *cbor.DupMapKeyError
		indef *cbor.IndefiniteLengthError
	)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("%w: %w", ErrTruncated, err)
	case errors.As(err, &dup), errors.As(err, &indef):
		return fmt.Errorf("%w: %w", ErrNonCanonical, err)
	default:
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
}
