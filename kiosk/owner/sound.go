package owner

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/munjigi/munjigi/audio"
	"github.com/munjigi/munjigi/display/lines"
)

// controls are what the page of sound and lines shows.
type controls struct {
	Volume int
	Muted  bool
	Lines  lines.State
	Door   bool
}

func (s *Server) sound(w http.ResponseWriter, r *http.Request, v *visit) error {
	c := controls{Volume: s.Sound.Volume(), Muted: s.Sound.Muted(), Lines: s.Lines.State()}
	c.Door = s.has("door")
	return s.show(w, r, v, http.StatusOK, "sound", c)
}

// has says whether a line is configured.
func (s *Server) has(part string) bool {
	return slices.ContainsFunc(s.Lines.State().Lines, func(l lines.Line) bool { return l.Part == part })
}

// Has says it to the page.
func (c controls) Has(part string) bool {
	return slices.ContainsFunc(c.Lines.Lines, func(l lines.Line) bool { return l.Part == part })
}

func (s *Server) setVolume(w http.ResponseWriter, r *http.Request, v *visit) error {
	n, err := strconv.Atoi(r.PostFormValue("volume"))
	if err != nil || n < 0 || n > 100 {
		s.fail(w, r, v, http.StatusBadRequest)
		return nil
	}
	s.Sound.SetVolume(n)
	err = s.remember(func(k *Settings) {
		if s.Sound.Quiet() {
			k.QuietVolume = &n
		} else {
			k.Volume = &n
		}
	})
	if err != nil {
		return err
	}
	return back(w, r, "/sound", "volume")
}

func (s *Server) setMuted(w http.ResponseWriter, r *http.Request, _ *visit) error {
	muted, said := r.PostFormValue("muted") == "yes", "unmuted"
	if muted {
		said = "muted"
	}
	s.Sound.SetMuted(muted)
	if err := s.remember(func(k *Settings) { k.Muted = muted }); err != nil {
		return err
	}
	return back(w, r, "/sound", said)
}

func (s *Server) testSound(w http.ResponseWriter, r *http.Request, _ *visit) error {
	s.Sound.Say(audio.Test, nil)
	return back(w, r, "/sound", "test")
}

var trials = map[string]lines.Trial{"green": lines.TryGreen, "red": lines.TryRed, "buzzer": lines.TryBuzzer}

// tryLine tries a lamp or the buzzer. The door has a page of its own.
func (s *Server) tryLine(w http.ResponseWriter, r *http.Request, v *visit) error {
	line := r.PathValue("line")
	trial, ok := trials[line]
	if !ok || !s.has(line) {
		s.fail(w, r, v, http.StatusNotFound)
		return nil
	}
	s.Lines.Try(trial)
	return back(w, r, "/sound", line)
}

func (s *Server) doorForm(w http.ResponseWriter, r *http.Request, v *visit) error {
	if !s.has("door") {
		s.fail(w, r, v, http.StatusNotFound)
		return nil
	}
	return s.show(w, r, v, http.StatusOK, "door", nil)
}

// openDoor opens the door, for whoever has said that nobody is hurt by it.
func (s *Server) openDoor(w http.ResponseWriter, r *http.Request, v *visit) error {
	switch {
	case !s.has("door"):
		s.fail(w, r, v, http.StatusNotFound)
		return nil
	case r.PostFormValue("sure") != "yes":
		v.problem = v.words.say("door.unsure")
		return s.show(w, r, v, http.StatusBadRequest, "door", nil)
	}
	s.Log.Info("the door is opened from the owner's page")
	s.Lines.Try(lines.TryDoor)
	return back(w, r, "/sound", "door")
}
