package owner

import "net/http"

func (s *Server) mirror(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.show(w, r, v, http.StatusOK, "mirror", nil)
}

func (s *Server) mirrorFrame(w http.ResponseWriter, r *http.Request, _ *visit) error {
	http.StripPrefix("/mirror", s.Mirror).ServeHTTP(w, r)
	return nil
}
