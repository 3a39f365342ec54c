package device

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/munjigi/munjigi/uplink/clock"
	"github.com/munjigi/munjigi/uplink/enrol"
	"github.com/munjigi/munjigi/uplink/journal"
)

// keep prunes the journal at the start and every hour, and compacts it at the
// start and every night. A clock that neither NTP nor the registry vouches for
// destroys nothing; then the signed times of passes must do.
func (d *Device) keep(ctx context.Context) error {
	ticker := time.NewTicker(time.Hour)
	defer ticker.Stop()
	compacted := ""
	for {
		now := d.now()
		vouched := now
		if !d.Clock.Vouched(now) {
			vouched = time.Time{}
		}
		destroyed, err := d.Journal.Prune(vouched, d.Config.Clock.Skew+clock.Tolerance)
		if errors.Is(err, journal.ErrDamaged) {
			return err // ends the daemon; started anew it mends the file
		}
		if err != nil {
			d.log.Error("the journal could not be pruned: check the disk", "err", err)
		}
		if destroyed > 0 {
			d.log.Error("visits older than 28 days were destroyed unsent: bring the registry back", "count", destroyed)
		}
		if today := now.Add(-nightHour * time.Hour).Format(time.DateOnly); today != compacted {
			compacted = today
			err := d.Journal.Compact()
			if errors.Is(err, journal.ErrClosed) || errors.Is(err, journal.ErrDamaged) {
				return err // ends the daemon, which leaves the screen out of order and is started anew
			}
			if err != nil {
				d.log.Error("the journal could not be compacted: check the disk", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-d.Journal.Damaged():
			return journal.ErrDamaged
		case <-ticker.C:
		}
	}
}

// watchEvery is how often the disk is tried and the frames are counted.
const watchEvery = 30 * time.Second

// watch tries the disk before a visitor has to, and notes what heartbeats tell.
func (d *Device) watch(ctx context.Context) error {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	var last lastResort
	for {
		err := d.Journal.Probe()
		if last.look(err, upTime()) && d.reboots {
			return ErrReboot
		}
		if failed := err != nil; d.diskFails.Swap(failed) != failed {
			if failed {
				d.log.Error("nothing can be kept, the screen says that the reader is out of order: free the disk or replace it", "err", err)
			} else {
				d.log.Info("the disk takes writes again")
			}
		}
		d.health.look(d.Kiosk.Frames(), time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// enroller is how the loop enrols this device by its camera.
type enroller struct{ d *Device }

func (e enroller) Fresh() bool { return e.d.Link.Identity() == nil }

func (e enroller) Look(ctx context.Context, code string) (*enrol.Offer, error) {
	return e.d.enroller.Look(ctx, code)
}

func (e enroller) Accept(ctx context.Context, o *enrol.Offer) error {
	if _, err := o.Accept(ctx); err != nil {
		return err
	}
	e.d.newPassword()
	return e.d.Link.Look()
}

func (e enroller) Welcome() (address, password string) { return e.d.welcome.show(e.d.Owner) }

// Writable tries whether the folder of the journal takes a write.
func (c *Config) Writable() error {
	f, err := os.CreateTemp(c.Data, ".check-*")
	if err != nil {
		return fmt.Errorf("nothing can be written in %s: check data, the disk and its owner: %w", c.Data, err)
	}
	name := filepath.Clean(f.Name())
	_, werr := f.Write(make([]byte, 4096))
	if err := errors.Join(werr, f.Sync(), f.Close(), os.Remove(name)); err != nil {
		return fmt.Errorf("a write in %s failed: the disk is full or read-only: %w", c.Data, err)
	}
	return nil
}
