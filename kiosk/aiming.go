package kiosk

import (
	"sync/atomic"
	"time"
)

// aimFor is how long aim mode lasts by itself: whoever looks at the picture asks
// again before, and an owner who walks away leaves the door open to visitors.
const aimFor = 30 * time.Second

// aiming is until when the owner aims the camera, since the kiosk's start.
type aiming struct{ until atomic.Int64 }

func (a *aiming) on(since time.Duration) bool { return int64(since) < a.until.Load() }

// Aim turns aim mode on, for half a minute from this call, or off. While it is
// on, each picture goes to Parts.Aimed, the screen says so and no code is
// judged: nobody is admitted by one.
func (k *Kiosk) Aim(on bool) {
	if !on {
		k.aiming.until.Store(0)
		return
	}
	if !k.Aiming() {
		k.face.drop()
	}
	k.aiming.until.Store(int64(time.Since(k.start) + aimFor))
}

// Aiming says whether aim mode is on.
func (k *Kiosk) Aiming() bool { return k.aiming.on(time.Since(k.start)) }
