package device

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/kiosk/owner"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/reader/camera"
	"github.com/munjigi/munjigi/uplink/enrol"
)

// Config is kiosk.toml. configs/kiosk.toml documents every key.
type Config struct {
	Data     string   `toml:"data"`
	LogLevel string   `toml:"log_level"`
	Kiosk    Kiosk    `toml:"kiosk"`
	Registry Registry `toml:"registry"`
	Camera   Camera   `toml:"camera"`
	Sound    Sound    `toml:"sound"`
	Screen   Screen   `toml:"screen"`
	GPIO     GPIO     `toml:"gpio"`
	Clock    ClockCfg `toml:"clock"`
	Owner    Owner    `toml:"owner"`
}

// Kiosk is how the door is set up; who it is comes from its enrolment.
type Kiosk struct {
	Staff   bool `toml:"staff_field"`
	AimTone bool `toml:"aim_tone"`
}

// Registry is how a fresh device gets to its registry.
type Registry struct {
	Code string `toml:"code"`
}

// Camera is where light comes from.
type Camera struct {
	Source string `toml:"source"`
	Width  int    `toml:"width"`
	Height int    `toml:"height"`
	FPS    int    `toml:"fps"`

	Control bool `toml:"control"`
}

// Sound is the loudspeaker.
type Sound struct {
	Output      string `toml:"output"`
	Prompts     string `toml:"prompts"`
	Volume      int    `toml:"volume"`
	Quiet       string `toml:"quiet"`
	QuietVolume int    `toml:"quiet_volume"`
}

// Screen is what visitors look at.
type Screen struct {
	Panels    []string `toml:"panels"`
	Size      string   `toml:"size"`
	Diagonal  float64  `toml:"diagonal"`
	Rotate    int      `toml:"rotate"`
	Languages []string `toml:"languages"`
	Texts     string   `toml:"texts"`
}

// GPIO names the lines of lamps, buzzer, door, buttons and sensors.
type GPIO struct {
	Green     string        `toml:"green"`
	Red       string        `toml:"red"`
	Buzzer    string        `toml:"buzzer"`
	Door      string        `toml:"door"`
	ActiveLow bool          `toml:"active_low"`
	FailSafe  bool          `toml:"fail_safe"`
	LampTime  time.Duration `toml:"lamp_time"`
	DoorTime  time.Duration `toml:"door_time"`

	Interlock   string `toml:"interlock"`
	StaffButton string `toml:"staff_button"`
	HelpButton  string `toml:"help_button"`
	Presence    string `toml:"presence"`
	PresenceLow bool   `toml:"presence_low"`
}

// ClockCfg says how strictly time is judged.
type ClockCfg struct {
	Unsure string        `toml:"unsure"`
	Skew   time.Duration `toml:"skew"`
}

// Defaults is the configuration before the file is read.
func Defaults() Config {
	return Config{
		Data: "/var/lib/munjigi", LogLevel: "info",
		Kiosk:  Kiosk{AimTone: true},
		Camera: Camera{Source: "/dev/video0", Width: 1280, Height: 720, FPS: 30, Control: true},
		Sound:  Sound{Output: "speaker", Volume: 80, QuietVolume: 40},
		Screen: Screen{Panels: []string{"/dev/fb0"}, Size: "1024x600", Languages: []string{"ko", "en"}},
		GPIO:   GPIO{LampTime: 3 * time.Second, DoorTime: 3 * time.Second},
		Clock:  ClockCfg{Unsure: "refuse", Skew: pass.Skew},
		Owner:  Owner{Listen: owner.DefaultListen},
	}
}

// Load reads and checks kiosk.toml; an error names the file and the key.
func Load(path string) (Config, error) {
	c := Defaults()
	if err := configs.Load(path, &c); err != nil {
		return c, former(err)
	}
	if err := c.check(); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// former adds what to do where the file says who the kiosk is, as it did before
// there was enrolment.
func former(err error) error {
	for _, key := range []string{"kiosk.id", "kiosk.kind", "registry.url", "registry.token", "registry.root"} {
		if strings.Contains(err.Error(), fmt.Sprintf("unknown key %q", key)) {
			return fmt.Errorf("%w\nkiosk.id, kiosk.kind, registry.url, registry.token and registry.root come by enrolment now: take these lines out and enrol the kiosk, as docs/operator.md says", err)
		}
	}
	return err
}

func (c *Config) check() error {
	switch {
	case c.Data == "":
		return fmt.Errorf("data is empty: name the folder for journal and keys")
	case c.Camera.Source == "":
		return fmt.Errorf("camera.source is empty: name the camera, e.g. /dev/video0")
	case c.Camera.Width < 0 || c.Camera.Height < 0 || c.Camera.Width > camera.MaxSide || c.Camera.Height > camera.MaxSide:
		return fmt.Errorf("camera.width and camera.height are %d and %d: give 1 to %d", c.Camera.Width, c.Camera.Height, camera.MaxSide)
	case c.Camera.FPS < 0 || c.Camera.FPS > 240:
		return fmt.Errorf("camera.fps is %d: give 1 to 240", c.Camera.FPS)
	case c.Clock.Unsure != "refuse" && c.Clock.Unsure != "admit":
		return fmt.Errorf("clock.unsure is %q: give \"refuse\" or \"admit\"", c.Clock.Unsure)
	case c.Clock.Skew < 0 || c.Clock.Skew > 10*time.Second:
		return fmt.Errorf("clock.skew is %s: give 0s to 10s", c.Clock.Skew)
	case c.Screen.Rotate%90 != 0 || c.Screen.Rotate < 0 || c.Screen.Rotate > 270:
		return fmt.Errorf("screen.rotate is %d: give 0, 90, 180 or 270", c.Screen.Rotate)
	case c.Screen.Diagonal != 0 && (c.Screen.Diagonal < 1 || c.Screen.Diagonal > 100):
		return fmt.Errorf("screen.diagonal is %v: give the screen's in inches, 1 to 100, or 0 for what it says itself", c.Screen.Diagonal)
	}
	if c.Registry.Code != "" {
		if _, err := wire.ParseCode(c.Registry.Code); err != nil {
			return fmt.Errorf("registry.code: %w: copy the whole line that registry kiosk code printed, or leave it empty", err)
		}
	}
	if _, err := c.Screen.size(); err != nil {
		return err
	}
	for _, p := range c.Screen.Panels {
		if _, err := parsePanel(p); err != nil {
			return err
		}
	}
	if err := errors.Join(c.voiceConfig().Check(), c.LinesConfig().Check(), c.checkOwner()); err != nil {
		return err
	}
	return c.level(new(slogLevel))
}

// Journal and Bundle are the files below Data.
func (c *Config) Journal() string { return filepath.Join(c.Data, "journal.db") }
func (c *Config) Bundle() string  { return filepath.Join(c.Data, enrol.BundleFile) }
