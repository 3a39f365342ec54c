package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/wire"
)

// Days is how long a visit is kept, counted in days of its pass's signed iat:
// the day itself and the 27 that follow. When the next one begins, at midnight
// in Seoul, the whole day is destroyed (DESIGN, law 12).
const Days = 28

// Seoul is the time zone that days and hours are counted in. Korea has kept no
// summer time since 1988, so that no zone database is needed.
var Seoul = time.FixedZone("KST", 9*60*60)

// Day is a day in Seoul: the number of days since 1970-01-01.
type Day int

// DayOf is the day that t lies in.
func DayOf(t time.Time) Day {
	_, offset := t.In(Seoul).Zone()
	s := t.Unix() + int64(offset)
	d := s / 86400
	if s%86400 < 0 {
		d--
	}
	return Day(d)
}

// Midnight is the instant at which the day begins.
func (d Day) Midnight() time.Time { return time.Unix(int64(d)*86400, 0).In(Seoul).Add(-9 * time.Hour) }

// String is the date, as in 2026-11-22.
func (d Day) String() string { return d.Midnight().Format(time.DateOnly) }

// Keeps says whether a visit with a pass made at issued may be kept now: not
// past [Days], and not of a day after tomorrow, which only a wrong clock makes.
func Keeps(issued, now time.Time) bool {
	d, today := DayOf(issued), DayOf(now)
	return oldest(today) <= d && d <= today+1
}

// oldest is the first day that is still kept.
func oldest(today Day) Day { return today - Days + 1 }

// Visit is one stored visit. There is nothing else: no attestation, no person.
type Visit struct {
	Kiosk    string
	Facility string
	Issuer   string
	ID       pass.ID   // sealed at rest; keep it out of logs
	Issued   time.Time // the pass's signed iat, in seconds
	Scanned  time.Time // the kiosk's clock, to the millisecond
	Received time.Time // the registry's clock
	Seq      uint64    // the kiosk's own count
	Flags    wire.Flags
	// Relayed: another kiosk took the same pass, too. It is looked up when a
	// visit is read, so that it is right whichever of the two came first,
	// through whichever process; Put ignores it.
	Relayed bool
}

// Hours are counts for each hour of a day, Seoul time.
type Hours [24]int

// Total is the day's sum.
func (h Hours) Total() (n int) {
	for _, c := range h {
		n += c
	}
	return n
}

// row is a visit as it lies in the table.
type row struct {
	day                            Day
	sealed                         [16]byte
	issuer, kiosk, facility        string
	issued, scanned, received, seq int64
	flags                          int16
	fresh                          *bool // set by engine.put
}

// ErrRetention is returned for a visit that [Keeps] does not keep.
var ErrRetention = errors.New("a visit is past its 28 days, or of a day to come")

// Put stores visits and says of each whether it is new (true) or was there
// already under its issuer, pass id and kiosk. When it returns no error, every
// visit is durable; visits of other callers are committed together with them.
// With an error they may or may not be stored, and are to be sent again.
func (db *DB) Put(ctx context.Context, visits []Visit) (fresh []bool, err error) {
	fresh = make([]bool, len(visits))
	rows := make([]row, len(visits))
	for i := range visits {
		v := &visits[i]
		if !Keeps(v.Issued, v.Received) {
			return nil, ErrRetention
		}
		r := &rows[i]
		*r = row{
			day: DayOf(v.Issued), issuer: v.Issuer, kiosk: v.Kiosk, facility: v.Facility,
			issued: v.Issued.Unix(), scanned: v.Scanned.UnixMilli(), received: v.Received.UnixMilli(),
			seq: int64(v.Seq), flags: int16(v.Flags), fresh: &fresh[i],
		}
		if err := db.agree(ctx, r.day, true); err != nil {
			return nil, fmt.Errorf("store visits: %w", err)
		}
		if r.sealed, err = db.keys.seal(r.day, r.issuer, v.ID); err != nil {
			return nil, fmt.Errorf("store visits: %w", err)
		}
	}
	if len(rows) == 0 {
		return fresh, nil
	}
	if err := db.group.put(ctx, rows); err != nil {
		return nil, fmt.Errorf("store visits: %w", err)
	}
	return fresh, nil
}

const hour = int64(time.Hour / time.Millisecond)

// Hours counts a facility's visits of the day by the hour of their scan.
func (db *DB) Hours(ctx context.Context, facility string, day Day) (Hours, error) {
	var hours Hours
	err := db.count(ctx, facility, day, 1, hour, func(hour, n int) { hours[hour] = n })
	return hours, err
}

// Daily counts a facility's visits of n days from first by the day of their scan.
func (db *DB) Daily(ctx context.Context, facility string, first Day, n int) ([]int, error) {
	days := make([]int, n)
	err := db.count(ctx, facility, first, n, 24*hour, func(day, n int) { days[day] = n })
	return days, err
}

// count calls each for every step of so many milliseconds that has visits.
func (db *DB) count(ctx context.Context, facility string, first Day, days int, step int64, each func(i, n int)) error {
	from, to := first.Midnight(), (first + Day(days)).Midnight()
	rows, err := db.sql.QueryContext(ctx, `
		SELECT (scanned - $1) / $2 AS step, count(*) FROM visits
		WHERE facility = $3 AND scanned >= $1 AND scanned < $4 AND day BETWEEN $5 AND $6
		GROUP BY step`, from.UnixMilli(), step, facility, to.UnixMilli(), first-1, first+Day(days))
	if err != nil {
		return fmt.Errorf("count visits: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var i, n int
		if err := rows.Scan(&i, &n); err != nil {
			return fmt.Errorf("count visits: %w", err)
		}
		each(i, n)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("count visits: %w", err)
	}
	return nil
}

// Visits lists a facility's visits scanned from from until before to, in order
// of their scan, with their pass ids opened: for an investigation. A day whose
// key is gone, or another than it was sealed under, cannot be read: ErrSealed.
func (db *DB) Visits(ctx context.Context, facility string, from, to time.Time) ([]Visit, error) {
	// A pass is scanned within seconds of its iat: its day is that of the scan
	// or a neighbour, which spares the engine to look into every day.
	rows, err := db.sql.QueryContext(ctx, `
		SELECT day, sealed, issuer, kiosk, facility, issued, scanned, received, seq, flags, EXISTS (
			SELECT 1 FROM visits AS o WHERE o.day = v.day AND o.issued = v.issued AND o.sealed = v.sealed AND o.issuer = v.issuer AND o.kiosk <> v.kiosk)
		FROM visits AS v
		WHERE facility = $1 AND scanned >= $2 AND scanned < $3 AND day BETWEEN $4 AND $5
		ORDER BY scanned, kiosk, seq`,
		facility, from.UnixMilli(), to.UnixMilli(), DayOf(from)-1, DayOf(to)+1)
	if err != nil {
		return nil, fmt.Errorf("list visits: %w", err)
	}
	defer rows.Close()
	var all []Visit
	for rows.Next() {
		var v Visit
		var r row
		sealed := db.sealed(&r.sealed)
		if err := rows.Scan(&r.day, sealed, &v.Issuer, &v.Kiosk, &v.Facility, &r.issued, &r.scanned, &r.received, &r.seq, &r.flags, &v.Relayed); err != nil {
			return nil, fmt.Errorf("list visits: %w", err)
		}
		if err := db.agree(ctx, r.day, false); err != nil {
			return nil, fmt.Errorf("list visits: %w", err)
		}
		if v.ID, err = db.keys.open(r.day, v.Issuer, r.sealed); err != nil {
			return nil, fmt.Errorf("list visits: %w", err)
		}
		v.Seq, v.Flags = uint64(r.seq), wire.Flags(r.flags)
		v.Issued, v.Scanned, v.Received = time.Unix(r.issued, 0).UTC(), time.UnixMilli(r.scanned).UTC(), time.UnixMilli(r.received).UTC()
		all = append(all, v)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list visits: %w", err)
	}
	return all, nil
}
