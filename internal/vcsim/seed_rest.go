package vcsim

// seedREST makes what only REST can make: tags and the content library.
func (s *Server) seedREST() error { return nil }
