// Package machine sets up what is under a kiosk that was flashed from the image:
// network, proxy, time servers and updates, from device.toml
// (configs/device.toml documents every key).
package machine

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/munjigi/munjigi/configs"
)

// Config is device.toml.
type Config struct {
	WiFi    WiFi    `toml:"wifi"`
	Address Address `toml:"address"`
	Proxy   Proxy   `toml:"proxy"`
	Time    Time    `toml:"time"`
	Update  Update  `toml:"update"`
	Reset   Reset   `toml:"reset"`
}

// WiFi is a network without a cable.
type WiFi struct {
	SSID     string `toml:"ssid"`
	Password string `toml:"password"`
	Country  string `toml:"country"`
}

// Address is who the device is in its network.
type Address struct {
	Static  string   `toml:"static"`
	Gateway string   `toml:"gateway"`
	DNS     []string `toml:"dns"`
}

// Proxy stands between device and registry.
type Proxy struct {
	URL string `toml:"url"`
}

// Time is who tells the time.
type Time struct {
	NTP []string `toml:"ntp"`
}

// Update is where new roots come from, and when they may start.
type Update struct {
	URL     string `toml:"url"`
	Hours   string `toml:"hours"`
	Version string `toml:"version"`
}

// Reset is how a device is made new by hand.
type Reset struct {
	Button string `toml:"button"`
}

// Defaults is the configuration before the file is read.
func Defaults() Config {
	return Config{WiFi: WiFi{Country: "KR"}, Update: Update{Hours: "03:00-05:00"}}
}

// Load reads and checks device.toml; an error names the file and the key.
func Load(path string) (Config, error) {
	c := Defaults()
	if err := configs.Load(path, &c); err != nil {
		return c, err
	}
	if err := c.check(); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func (c *Config) check() error {
	w := c.WiFi
	switch n := len(w.Password); {
	case len(w.SSID) > 32:
		return errors.New("wifi.ssid is longer than 32 bytes: give the network's name as the router shows it")
	case w.SSID == "" && w.Password != "":
		return errors.New("wifi.password is set and wifi.ssid is empty: give the network's name")
	case n > 0 && (n < 8 || n > 63):
		return fmt.Errorf("wifi.password has %d characters: give 8 to 63", n)
	case !printable(w.Password):
		return errors.New("wifi.password has characters that no such password can have: give ASCII letters, digits and signs")
	case len(w.Country) != 2 || strings.Trim(w.Country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "":
		return fmt.Errorf("wifi.country is %q: give two capital letters, KR for Korea", w.Country)
	}
	if err := c.Address.check(); err != nil {
		return err
	}
	if err := web("proxy.url", c.Proxy.URL, "http"); err != nil {
		return err
	}
	if err := web("update.url", c.Update.URL, "https"); err != nil {
		return err
	}
	for _, s := range c.Time.NTP {
		if s == "" || strings.ContainsAny(s, " \t\r\n=[]") {
			return fmt.Errorf("time.ntp has %q: give names or addresses of time servers", s)
		}
	}
	if v := c.Update.Version; v != "" && !versioned.MatchString(v) {
		return fmt.Errorf("update.version is %q: give a bundle's version, e.g. \"20261122.031500.1b489ee\", or \"\" for each newer one", v)
	}
	_, _, err := hours(c.Update.Hours)
	return err
}

func (a *Address) check() error {
	if a.Static == "" {
		if a.Gateway != "" {
			return errors.New("address.gateway is set and address.static is empty: give both, or none for DHCP")
		}
	} else {
		p, err := netip.ParsePrefix(a.Static)
		if err != nil || p.Bits() == 0 {
			return fmt.Errorf("address.static is %q: give an address with its prefix, e.g. \"192.168.0.20/24\"", a.Static)
		}
		g, err := netip.ParseAddr(a.Gateway)
		if a.Gateway != "" && (err != nil || !p.Masked().Contains(g)) {
			return fmt.Errorf("address.gateway is %q: give an address within %s", a.Gateway, p.Masked())
		}
	}
	for _, d := range a.DNS {
		if _, err := netip.ParseAddr(d); err != nil {
			return fmt.Errorf("address.dns has %q: give addresses, e.g. \"168.126.63.1\"", d)
		}
	}
	return nil
}

// web checks an address that may be empty.
func web(key, text, scheme string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != scheme || strings.ContainsAny(text, " \t\r\n\"'\\$`%") {
		return fmt.Errorf("%s is %q: give an address that begins with %s://", key, text, scheme)
	}
	return nil
}

func printable(s string) bool {
	for _, r := range s {
		if r < ' ' || r > '~' {
			return false
		}
	}
	return true
}

// hours reads "HH:MM-HH:MM" as times since midnight; equal ones are the whole day.
func hours(text string) (from, to time.Duration, err error) {
	if text == "any" {
		return 0, 0, nil
	}
	a, b, ok := strings.Cut(text, "-")
	t, err1 := time.Parse("15:04", a)
	u, err2 := time.Parse("15:04", b)
	if !ok || err1 != nil || err2 != nil || t.Equal(u) {
		return 0, 0, fmt.Errorf("update.hours is %q: give e.g. \"03:00-05:00\", or \"any\"", text)
	}
	midnight := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	return t.Sub(midnight), u.Sub(midnight), nil
}

// May says whether an update may start at now, in now's zone.
func (u Update) May(now time.Time) bool {
	from, to, err := hours(u.Hours)
	if err != nil {
		return false
	}
	h, m, _ := now.Clock()
	at := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute
	switch {
	case from == to:
		return true
	case from < to:
		return from <= at && at < to
	}
	return at >= from || at < to
}
