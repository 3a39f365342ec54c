package machine

import (
	"fmt"
	"regexp"
)

// versioned is a version as image/build.sh makes it: when its commit was made, in
// UTC, and which that is.
var versioned = regexp.MustCompile(`^([0-9]{8}\.[0-9]{6})\.[0-9a-z]+$`)

// Takes says whether a device that runs the version runs may install offered: a
// newer one, or where update.version names one, that and no other, be it older. A
// signature lasts for ever, so that who replays an old bundle would otherwise bring
// its faults back. An error says why not.
func (u Update) Takes(offered, runs string) error {
	o, r := versioned.FindStringSubmatch(offered), versioned.FindStringSubmatch(runs)
	switch {
	case u.Version != "" && offered == u.Version:
		return nil
	case u.Version != "":
		return fmt.Errorf("the bundle is %s, and device.toml asks for %s alone (update.version)", offered, u.Version)
	case o == nil:
		return fmt.Errorf("the bundle's version %q does not say when it was built: build it with image/build.sh", offered)
	case r != nil && o[1] <= r[1]:
		return fmt.Errorf("the bundle is %s, which is not newer than %s: to go back, name its version in device.toml (update.version)", offered, runs)
	}
	return nil
}
