package vcsim

import (
	"fmt"
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// attempts is how many wrong passwords lock an account.
const attempts = 3

// logins is what is known of sessions and of those who failed to get one.
type logins struct {
	mu         sync.Mutex
	in, out    int
	restIn     int
	restOut    int
	wrong      int
	locked     bool
	restTokens map[string]bool
}

// validLogin decides about a login. After three wrong passwords in a row the
// account is locked, and the right one is refused as well, with the same
// fault, as vCenter does.
func (s *Server) validLogin(l *types.Login) bool {
	s.logins.mu.Lock()
	defer s.logins.mu.Unlock()

	if s.logins.locked {
		return false
	}

	if l.UserName != s.options.Username || l.Password != s.options.Password {
		s.logins.wrong++
		s.logins.locked = s.logins.wrong >= attempts

		return false
	}

	s.logins.wrong = 0

	return true
}

// Locked reports whether too many wrong passwords locked the account.
func (s *Server) Locked() bool {
	s.logins.mu.Lock()
	defer s.logins.mu.Unlock()

	return s.logins.locked
}

// WrongPasswords returns how many logins were refused since the last that was not.
func (s *Server) WrongPasswords() int {
	s.logins.mu.Lock()
	defer s.logins.mu.Unlock()

	return s.logins.wrong
}

// Logins returns how often a client got a session of the SDK.
func (s *Server) Logins() int { return s.counted(func(l *logins) int { return l.in }) }

// Logouts returns how often a client ended a session of the SDK.
func (s *Server) Logouts() int { return s.counted(func(l *logins) int { return l.out }) }

// RESTLogins returns how often a client got a session of the REST API.
func (s *Server) RESTLogins() int { return s.counted(func(l *logins) int { return l.restIn }) }

// RESTLogouts returns how often a client ended a session of the REST API.
func (s *Server) RESTLogouts() int { return s.counted(func(l *logins) int { return l.restOut }) }

func (s *Server) counted(get func(*logins) int) int {
	s.logins.mu.Lock()
	defer s.logins.mu.Unlock()

	return get(&s.logins)
}

// sessions returns the keys of the SDK's sessions.
func (s *Server) sessions() []string {
	ctx := s.Context()
	view := &simulator.Session{Registry: simulator.NewRegistry(), Map: ctx.Map}

	manager, ok := view.Get(ctx.Map.SessionManager().Self).(*simulator.SessionManager)
	if !ok {
		return nil
	}

	keys := make([]string, 0, len(manager.SessionList))
	for _, session := range manager.SessionList {
		keys = append(keys, session.Key)
	}

	return keys
}

// Sessions returns how many sessions of the SDK there are.
func (s *Server) Sessions() int { return len(s.sessions()) }

// ExpireSessions ends all sessions, of the SDK and of REST, without telling
// those who hold them.
func (s *Server) ExpireSessions() {
	ctx := s.Context()
	manager := ctx.Map.SessionManager()

	for _, key := range s.sessions() {
		manager.TerminateSession(ctx, &types.TerminateSession{This: manager.Self, SessionId: []string{key}})
	}

	s.logins.mu.Lock()
	defer s.logins.mu.Unlock()

	s.logins.restTokens = nil
}

// hasSession reports whether the key is a session's.
func (s *Server) hasSession(key string) bool {
	for _, k := range s.sessions() {
		if k == key {
			return true
		}
	}

	return false
}

// CheckSessions returns an error where a client has left a session behind, of
// the SDK or of REST.
func (s *Server) CheckSessions() error {
	s.logins.mu.Lock()
	defer s.logins.mu.Unlock()

	if l := &s.logins; l.in != l.out || l.restIn != l.restOut {
		return fmt.Errorf("%d logins and %d logouts, %d and %d of REST", l.in, l.out, l.restIn, l.restOut)
	}

	return nil
}
