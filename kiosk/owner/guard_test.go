package owner

import (
	"fmt"
	"net/http"
	"net/netip"
	"testing"
)

// TestOrigin: in our own networks each address is somebody; who comes from
// elsewhere has a whole IPv6 /64.
func TestOrigin(t *testing.T) {
	own := func() []netip.Prefix {
		return []netip.Prefix{netip.MustParsePrefix("2001:db8:5::/64"), netip.MustParsePrefix("192.168.0.0/24")}
	}
	for remote, want := range map[string]string{
		"192.168.0.20:80": "192.168.0.20/32", "[::ffff:10.1.2.3]:80": "10.1.2.3/32", "[2001:db8:5::1]:80": "2001:db8:5::1/128", "[fe80::9%eth0]:80": "fe80::9/128",
		"[2001:db8:6::1]:80": "2001:db8:6::/64", "[2001:db8:6::ffff:2]:81": "2001:db8:6::/64", "[fd00::7:1]:1": "fd00::/64", "a pipe": "invalid Prefix",
	} {
		if got := origin(remote, own).String(); got != want {
			t.Errorf("%s counts for %s, want %s", remote, got, want)
		}
	}
}

// TestKnownPhone: a guest with many addresses makes strangers wait, and not the
// phone that has logged in before, which has five tries of its own. A new
// password ends that.
func TestKnownPhone(t *testing.T) {
	r := newRig(t)
	owner := r.signedIn()
	owner.post("/logout")
	for i := range freeTotal {
		r.s.guard.try(guesser{address: origin(fmt.Sprintf("192.168.0.%d:4000", 100+i), ownPrefixes)})
	}
	logIn := func(b *browser, password string, want int) {
		t.Helper()
		if w := b.post("/login", "password", password); w.Code != want {
			t.Errorf("%d, want %d", w.Code, want)
		}
	}
	logIn(r.browser(), r.password, http.StatusTooManyRequests)
	for _, forged := range []string{"", "x", ".", "owner.AAAA", owner.cookie[deviceCookie] + "A", "x" + owner.cookie[deviceCookie]} {
		b := r.browser()
		b.cookie[deviceCookie] = forged
		logIn(b, r.password, http.StatusTooManyRequests)
	}
	name := owner.cookie[deviceCookie]
	logIn(owner, r.password, http.StatusSeeOther)
	if owner.cookie[deviceCookie] != name {
		t.Error("a known phone became another")
	}
	for range freeTries {
		logIn(owner, "mistyped", http.StatusForbidden)
	}
	logIn(owner, r.password, http.StatusTooManyRequests)
	owner.from = "192.168.0.21:5000"
	logIn(owner, r.password, http.StatusTooManyRequests)
	r.wait(firstWait)
	logIn(owner, r.password, http.StatusSeeOther)

	for i := range 4 { // the others wait again
		r.wait(longestWait)
		r.s.guard.try(guesser{address: origin(fmt.Sprintf("192.168.1.%d:4000", i), ownPrefixes)})
	}
	again, err := NewPassword(r.s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	logIn(owner, again, http.StatusTooManyRequests)
}
