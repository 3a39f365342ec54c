package machine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func load(t *testing.T, text string) (Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "device.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path)
}

// TestSample holds the sample to the defaults.
func TestSample(t *testing.T) {
	c, err := Load("../../../configs/device.toml")
	if err != nil {
		t.Fatal(err)
	}
	want := Defaults()
	want.Address.DNS, want.Time.NTP = []string{}, []string{}
	if d := cmp.Diff(want, c); d != "" {
		t.Errorf("the sample is not the defaults: %s", d)
	}
}

func TestMistakes(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"[wifi]\nsid = \"a\"", `device.toml:2: unknown key "wifi.sid", did you mean "ssid"?`},
		{"[wifi]\nssid = cafe", "device.toml:2:"},
		{"[wifi]\nssid = \"cafe\"\npassword = \"short\"", "wifi.password has 5 characters"},
		{"[wifi]\npassword = \"12345678\"", "wifi.ssid is empty"},
		{"[wifi]\nssid = \"cafe\"\npassword = \"1234567\\n8\"", "wifi.password has characters"},
		{"[wifi]\ncountry = \"kr\"", "two capital letters"},
		{"[address]\nstatic = \"192.168.0.20\"", "address with its prefix"},
		{"[address]\ngateway = \"192.168.0.1\"", "address.static is empty"},
		{"[address]\nstatic = \"192.168.0.20/24\"\ngateway = \"192.168.1.1\"", "within 192.168.0.0/24"},
		{"[address]\ndns = [\"kt\"]", "address.dns"},
		{"[proxy]\nurl = \"proxy:3128\"", "begins with http://"},
		{"[proxy]\nurl = \"http://a b\"", "begins with http://"},
		{"[update]\nurl = \"ftp://a/b\"", "begins with https://"},
		{"[update]\nurl = \"http://a/b\"", "begins with https://"},
		{"[update]\nversion = \"newest\"", "update.version"},
		{"[update]\nhours = \"3-5\"", "update.hours"},
		{"[update]\nhours = \"03:00-03:00\"", "update.hours"},
		{"[time]\nntp = [\"a b\"]", "time.ntp"},
	} {
		if _, err := load(t, tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want %q in it", tt.text, err, tt.want)
		}
	}
}

func TestFiles(t *testing.T) {
	c, err := load(t, `
[wifi]
ssid = "카페"
password = "pass\"word 1"
[address]
static = "192.168.0.20/24"
gateway = "192.168.0.1"
dns = ["168.126.63.1"]
[proxy]
url = "http://proxy:3128"
[time]
ntp = ["time.kriss.re.kr"]`)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := Write(dir, c.Files()); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/run/systemd/network/20-munjigi.network":    "[Match]\nName=en* eth* wl*\n\n[Network]\nAddress=192.168.0.20/24\nGateway=192.168.0.1\nDNS=168.126.63.1\n\n[Link]\nRequiredForOnline=no\n",
		"/run/munjigi-setup/wpa_supplicant.conf":     "country=KR\nnetwork={\n\tssid=ecb9b4ed8e98\n\tscan_ssid=1\n\tkey_mgmt=WPA-PSK WPA-PSK-SHA256 SAE\n\tieee80211w=1\n\tpsk=\"pass\"word 1\"\n}\n",
		"/run/systemd/timesyncd.conf.d/munjigi.conf": "[Time]\nNTP=time.kriss.re.kr\n",
		"/run/munjigi-setup/environment":             "HTTPS_PROXY=http://proxy:3128\nHTTP_PROXY=http://proxy:3128\n",
	} {
		got, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil || string(got) != want {
			t.Errorf("%s: %v: %s", path, err, cmp.Diff(want, string(got)))
		}
	}
}

func TestMay(t *testing.T) {
	for _, tt := range []struct {
		hours, at string
		want      bool
	}{
		{"03:00-05:00", "03:00", true}, {"03:00-05:00", "05:00", false}, {"03:00-05:00", "12:10", false},
		{"22:00-04:00", "23:59", true}, {"22:00-04:00", "03:59", true}, {"22:00-04:00", "04:00", false}, {"any", "12:10", true},
	} {
		at, err := time.Parse("15:04", tt.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := (Update{Hours: tt.hours}).May(at); got != tt.want {
			t.Errorf("%s at %s: %v", tt.hours, tt.at, got)
		}
	}
}
