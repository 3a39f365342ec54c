package owner

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/munjigi/munjigi/uplink/disk"
)

// SettingsFile keeps what the owner set on the page, before which the
// configuration's values stand back.
const SettingsFile = "owner.json"

// Settings are what the owner set on the page; nil stands for the
// configuration's value.
type Settings struct {
	Volume      *int `json:"volume,omitempty"` // percent, by day
	QuietVolume *int `json:"quiet_volume,omitempty"`
	Muted       bool `json:"muted,omitempty"`
}

// LoadSettings reads what was set on the page of the kiosk whose folder dir is.
func LoadSettings(dir string) (Settings, error) { return settingsFile(dir).load() }

// settingsFile is the folder it lies in.
type settingsFile string

func (f settingsFile) load() (s Settings, err error) {
	data, err := os.ReadFile(filepath.Join(string(f), SettingsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("read the owner's Settings: %w", err)
	}
	if err := json.Unmarshal(data, &s); err != nil || !percent(s.Volume) || !percent(s.QuietVolume) {
		return Settings{}, fmt.Errorf("%s is damaged: set the volume on the owner's page again", SettingsFile)
	}
	return s, nil
}

func (f settingsFile) keep(s Settings) error {
	data, err := json.Marshal(s)
	if err == nil {
		err = disk.Write(filepath.Join(string(f), SettingsFile), data)
	}
	if err != nil {
		return fmt.Errorf("keep the owner's Settings: %w", err)
	}
	return nil
}

func percent(n *int) bool { return n == nil || *n >= 0 && *n <= 100 }

// remember keeps a setting over the next start.
func (s *Server) remember(change func(*Settings)) error {
	s.settling.Lock()
	defer s.settling.Unlock()
	k, err := s.settings.load()
	if err != nil {
		k = Settings{} // damaged: what is set now stands from now on
	}
	change(&k)
	return s.settings.keep(k)
}
