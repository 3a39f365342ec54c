package trace

import (
	"crypto/hpke"
	"fmt"
	"time"

	"github.com/munjigi/munjigi/pass/cose"
)

// letter is one message sealed from one party to another: signed outside, so
// that who carries or keeps it can check it, and unreadable to all but its
// recipient. What stands outside is bound to what is inside by HPKE's info.
type letter struct {
	From  string `cbor:"1,keyasint"`
	To    string `cbor:"2,keyasint"`
	About []byte `cbor:"3,keyasint"` // Digest of the order, group or call it belongs to
	At    int64  `cbor:"4,keyasint"` // Unix milliseconds
	Body  []byte `cbor:"5,keyasint"` // HPKE enc (32 bytes) and ciphertext
}

type letterInfo struct {
	_       struct{} `cbor:",toarray"`
	Context string
	Type    string
	From    string
	To      string
	About   []byte
	At      int64
}

func (l *letter) info(typ string) ([]byte, error) {
	return cose.Marshal(letterInfo{Context: "munjigi trace letter 1", Type: typ, From: l.From, To: l.To, About: l.About, At: l.At})
}

// seal writes a letter of v.
func (i *Identity) seal(typ string, to Party, about Digest, at time.Time, v any) ([]byte, error) {
	l := letter{From: i.id, To: to.ID, About: about[:], At: at.UnixMilli()}
	plain, err := cose.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode a %s: %w", typ, err)
	}
	info, err := l.info(typ)
	if err != nil {
		return nil, fmt.Errorf("encode a %s: %w", typ, err)
	}
	key, err := kem().NewPublicKey(to.Seal)
	if err != nil {
		return nil, fmt.Errorf("%q has no usable key to seal to: %w", to.ID, err)
	}
	if l.Body, err = hpke.Seal(key, kdf(), aead(), info, plain); err != nil {
		return nil, fmt.Errorf("seal a %s: %w", typ, err)
	}
	raw, err := cose.SignTyped(i.signKey, typ, l)
	if err == nil && len(raw) > MaxMessage {
		return nil, fmt.Errorf("%w: a %s of %d bytes", ErrContent, typ, len(raw))
	}
	return raw, err
}

// envelope is a letter whose signature has been checked and whose inside has not.
type envelope struct {
	letter
	about Digest
	at    time.Time
}

// openEnvelope checks who signed a letter, without opening it.
func (r *Roster) openEnvelope(raw []byte, typ string, senders []Party, now time.Time) (*envelope, error) {
	if len(raw) > MaxMessage {
		return nil, fmt.Errorf("%w: a %s of %d bytes", ErrContent, typ, len(raw))
	}
	if err := r.current(now); err != nil {
		return nil, err
	}
	e := &envelope{}
	p, err := openBy(raw, typ, senders, &e.letter)
	if err != nil {
		return nil, err
	}
	if len(e.About) != len(Digest{}) || e.At < 0 || e.At > maxMillis {
		return nil, ErrContent
	}
	e.about, e.at = Digest(e.About), time.UnixMilli(e.At).UTC()
	return e, judge(p, e.From, e.at, now)
}

// open reads a letter for i that belongs to about; the zero Digest leaves that
// to the caller.
func (r *Roster) open(raw []byte, typ string, senders []Party, i *Identity, about Digest, now time.Time, v any) (*envelope, error) {
	e, err := r.openEnvelope(raw, typ, senders, now)
	switch {
	case err != nil:
		return nil, err
	case e.To != i.id:
		return nil, ErrRecipient
	case about != Digest{} && e.about != about:
		return nil, ErrSubject
	}
	info, err := e.info(typ)
	if err != nil {
		return nil, err
	}
	plain, err := hpke.Open(i.sealKey, kdf(), aead(), info, e.Body)
	if err != nil {
		return nil, ErrSealed
	}
	if err := cose.Unmarshal(plain, v); err != nil {
		return nil, fmt.Errorf("%s: %w", typ, err)
	}
	return e, nil
}
