package trace

import (
	"fmt"
	"time"
)

// Seen is one visit at the place, by a pass that the officer knows only by its
// position in a group.
type Seen struct {
	At    int64 `cbor:"1,keyasint"` // time of the scan, Unix milliseconds
	Flags Flags `cbor:"2,keyasint,omitempty"`
}

// Flags qualify a visit.
type Flags uint8

const (
	FlagClockUnsure Flags = 1 // nobody vouched for the kiosk's clock
	FlagRelayed     Flags = 2 // the same pass was taken at another kiosk too
)

// Sheet is the times that belong to one group, for the officer alone: what
// joins with the issuer's answer, position by position.
type Sheet struct {
	Issuer string
	Group  Digest   // of the sealed group
	Seen   [][]Seen // by the group's passes
}

type sheet struct {
	Issuer string   `cbor:"1,keyasint"`
	Group  []byte   `cbor:"2,keyasint"`
	Seen   [][]Seen `cbor:"3,keyasint"`
}

// SealSheet seals the times of one group to the officer who asked.
func (i *Identity) SealSheet(officer Party, w *Warrant, s Sheet, now time.Time) ([]byte, error) {
	return i.seal(typeSheet, officer, w.Digest(), now, sheet{Issuer: s.Issuer, Group: s.Group[:], Seen: s.Seen})
}

// OpenSheet opens a sheet of the inquiry that order names.
func (r *Roster) OpenSheet(i *Identity, raw []byte, order Digest, now time.Time) (*Sheet, error) {
	var s sheet
	if _, err := r.open(raw, typeSheet, r.contents.Registries, i, order, now, &s); err != nil {
		return nil, err
	}
	if len(s.Group) != len(Digest{}) || len(s.Seen) == 0 || len(s.Seen) > MaxPasses {
		return nil, ErrContent
	}
	for _, at := range s.Seen {
		if len(at) == 0 {
			return nil, fmt.Errorf("%w: a pass that was never seen", ErrContent)
		}
		for _, v := range at {
			if v.At < 0 || v.At > maxMillis {
				return nil, ErrContent
			}
		}
	}
	return &Sheet{Issuer: s.Issuer, Group: Digest(s.Group), Seen: s.Seen}, nil
}

// Report is the registry's word on what it found: every group there is, so that
// one that is kept back is missed.
type Report struct {
	Groups []GroupRef `cbor:"1,keyasint"`
	Since  int64      `cbor:"2,keyasint"`           // Unix seconds: visits before it are destroyed
	Lost   int        `cbor:"3,keyasint,omitempty"` // visits whose issuer nobody can ask: not on the roster
}

// GroupRef names one group of a report.
type GroupRef struct {
	Issuer string `cbor:"1,keyasint"`
	Group  []byte `cbor:"2,keyasint"` // Digest of the sealed group
	Passes int    `cbor:"3,keyasint"`
}

// SealReport seals the report to the officer who asked.
func (i *Identity) SealReport(officer Party, w *Warrant, rep Report, now time.Time) ([]byte, error) {
	if rep.Groups == nil {
		rep.Groups = []GroupRef{}
	}
	return i.seal(typeReport, officer, w.Digest(), now, rep)
}

// OpenReport opens the report of the inquiry that order names.
func (r *Roster) OpenReport(i *Identity, raw []byte, order Digest, now time.Time) (*Report, error) {
	var rep Report
	if _, err := r.open(raw, typeReport, r.contents.Registries, i, order, now, &rep); err != nil {
		return nil, err
	}
	if len(rep.Groups) > MaxGroups || rep.Lost < 0 {
		return nil, ErrContent
	}
	for _, g := range rep.Groups {
		if len(g.Group) != len(Digest{}) || g.Passes < 1 || g.Passes > MaxPasses {
			return nil, ErrContent
		}
	}
	return &rep, nil
}

// Presence is one person at the place, as the officer joins it.
type Presence struct {
	Issuer string
	Person *Person // nil: the issuer cannot name who it was
	Seen   []Seen
}

// Join puts a sheet and its issuer's answer together. Nobody but the officer
// who asked holds both.
func Join(s *Sheet, people []*Person) ([]Presence, error) {
	if len(people) != len(s.Seen) {
		return nil, fmt.Errorf("%w: %d people for %d passes", ErrContent, len(people), len(s.Seen))
	}
	all := make([]Presence, len(people))
	for n, p := range people {
		all[n] = Presence{Issuer: s.Issuer, Person: p, Seen: s.Seen[n]}
	}
	return all, nil
}
