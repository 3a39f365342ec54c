package registry

import "time"

// pauseFor is the pause a receipt asks for when so many of the registry's
// slots are in use: none up to a quarter, then more and more, 10 s when full.
// Queues then wait where they are safe, on the kiosks' disks.
func pauseFor(inUse, slots int) time.Duration {
	const most = 10 * time.Second
	quarter := slots / 4
	if inUse <= quarter || slots <= quarter {
		return 0
	}
	return most * time.Duration(min(inUse, slots)-quarter) / time.Duration(slots-quarter)
}
