package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// File is one that the machine's services read.
type File struct {
	Path, Text string
	Mode       os.FileMode
}

// Files are what systemd-networkd(8), wpa_supplicant(8), systemd-timesyncd(8) and
// the kiosk's unit read, below /run: gone at the next start.
func (c Config) Files() []File {
	var n strings.Builder
	n.WriteString("[Match]\nName=en* eth* wl*\n\n[Network]\n")
	if c.Address.Static == "" {
		n.WriteString("DHCP=yes\n")
	} else {
		fmt.Fprintf(&n, "Address=%s\n", c.Address.Static)
		if c.Address.Gateway != "" {
			fmt.Fprintf(&n, "Gateway=%s\n", c.Address.Gateway)
		}
	}
	for _, d := range c.Address.DNS {
		fmt.Fprintf(&n, "DNS=%s\n", d)
	}
	// A cable is preferred; a door without network is no fault.
	n.WriteString("\n[Link]\nRequiredForOnline=no\n")
	all := []File{{"/run/systemd/network/20-munjigi.network", n.String(), 0o644}}
	if c.WiFi.SSID != "" {
		all = append(all, File{"/run/munjigi-setup/wpa_supplicant.conf", c.WiFi.supplicant(), 0o600})
	}
	if len(c.Time.NTP) > 0 {
		all = append(all, File{"/run/systemd/timesyncd.conf.d/munjigi.conf", "[Time]\nNTP=" + strings.Join(c.Time.NTP, " ") + "\n", 0o644})
	}
	env := ""
	if c.Proxy.URL != "" {
		env = fmt.Sprintf("HTTPS_PROXY=%s\nHTTP_PROXY=%s\n", c.Proxy.URL, c.Proxy.URL)
	}
	return append(all, File{"/run/munjigi-setup/environment", env, 0o644})
}

// supplicant is wpa_supplicant.conf(5). Names and passwords are written as hex
// or quoted to the end of the line, so that no character of theirs means anything.
func (w WiFi) supplicant() string {
	var b strings.Builder
	fmt.Fprintf(&b, "country=%s\nnetwork={\n\tssid=%x\n\tscan_ssid=1\n", w.Country, w.SSID)
	if w.Password == "" {
		b.WriteString("\tkey_mgmt=NONE\n}\n")
	} else {
		// The last quote of a line ends the text.
		fmt.Fprintf(&b, "\tkey_mgmt=WPA-PSK WPA-PSK-SHA256 SAE\n\tieee80211w=1\n\tpsk=\"%s\"\n}\n", w.Password)
	}
	return b.String()
}

// Write writes files below root, "/" but in tests.
func Write(root string, files []File) error {
	for _, f := range files {
		path := filepath.Join(root, f.Path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("make the folder of %s: %w", path, err)
		}
		if err := os.WriteFile(path, []byte(f.Text), f.Mode); err != nil {
			return fmt.Errorf("write what a service reads: %w", err)
		}
	}
	return nil
}
