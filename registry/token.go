package registry

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/munjigi/munjigi/registry/devices"
)

// Kiosk is one that uploads with a token: the way before certificates, which
// goes when nothing uses it any more.
type Kiosk struct {
	ID       string
	Facility string
	Kind     string            // kind of facility: chooses the policy in the bundle
	Token    [sha256.Size]byte // SHA-256 of its token
}

// TokenHash is what a registry keeps of a kiosk's token.
func TokenHash(token string) [sha256.Size]byte { return sha256.Sum256([]byte(token)) }

// byToken finds who sent a request, by its bearer token (RFC 6750, section 2.1).
func (s *Server) byToken(r *http.Request) (devices.Identity, bool) {
	scheme, token, found := strings.Cut(r.Header.Get("Authorization"), " ")
	if !found || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return devices.Identity{}, false
	}
	// Every hash is compared to its end, whether one fits or not, so that time
	// tells nothing.
	hash, at := TokenHash(token), -1
	for i := range s.Kiosks {
		at = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(hash[:], s.Kiosks[i].Token[:]), i, at)
	}
	if at < 0 {
		return devices.Identity{}, false
	}
	k := s.Kiosks[at]
	return devices.Identity{Kiosk: devices.Kiosk{ID: k.ID, Facility: k.Facility, Kind: k.Kind}}, true
}
