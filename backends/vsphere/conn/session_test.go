package conn

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/vapi/tags"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/vcsim"
)

// read makes a call that needs a session.
func read(ctx context.Context, c *Conn) error {
	var f mo.Folder
	return property.DefaultCollector(c.VIM()).RetrieveOne(ctx, c.VIM().ServiceContent.RootFolder, []string{"name"}, &f)
}

func balanced(t *testing.T, s *vcsim.Server) {
	t.Helper()
	if s.Logins() != s.Logouts() || s.RESTLogins() != s.RESTLogouts() || s.Sessions() != 0 {
		t.Errorf("%d logins, %d logouts; REST %d and %d; %d sessions left", s.Logins(), s.Logouts(), s.RESTLogins(), s.RESTLogouts(), s.Sessions())
	}
}

func TestOneSessionForEverything(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	c := connected(t, to(s))
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if err := read(t.Context(), c); err != nil {
				t.Error(err)
			}
			r, err := c.REST(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := tags.NewManager(r).ListTags(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := c.PBM(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if s.Logins() != 1 || s.RESTLogins() != 1 {
		t.Errorf("%d logins, %d of REST", s.Logins(), s.RESTLogins())
	}
	for range 2 {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	balanced(t, s)
	if err := read(t.Context(), c); backends.CodeOf(fault.Wrap(err, "", "")) != backends.Canceled {
		t.Errorf("after Close: %v", err)
	}
	if s.Logins() != 1 {
		t.Error("a closed connection logged in")
	}
}

func TestManyCallsThatMeetAnExpiredSessionLogInOnce(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{Delay: 5 * time.Millisecond})
	c := connected(t, to(s))
	r, err := c.REST(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.PBM(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for round := 1; round <= 3; round++ {
		s.ExpireSessions()
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if err := read(t.Context(), c); err != nil {
					t.Error(err)
				}
				if _, err := tags.NewManager(r).ListTags(t.Context()); err != nil {
					t.Error(err)
				}
				if _, err := p.QueryProfile(t.Context(), pbmStorage, "REQUIREMENT"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if s.Logins() != 1+round || s.RESTLogins() != 1+round {
			t.Fatalf("round %d: %d logins, %d of REST", round, s.Logins(), s.RESTLogins())
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if s.Sessions() != 0 || s.Logouts() != 1 || s.RESTLogouts() != 1 {
		t.Errorf("%d sessions, %d and %d logouts", s.Sessions(), s.Logouts(), s.RESTLogouts())
	}
}

func TestKeepAliveUsesBothSessions(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	c := connected(t, to(s))
	s.ResetCalls()
	c.touch(t.Context())
	if s.TotalCalls() != 1 || s.Calls()["CurrentTime"] != 1 {
		t.Errorf("without REST: %v", s.Calls())
	}
	if _, err := c.REST(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.ResetCalls()
	c.touch(t.Context())
	if s.TotalCalls() != 2 {
		t.Errorf("with REST: %v", s.Calls())
	}
}

// What is lost in a login or a logout must not leave goroutines or connections behind.
func TestCloseLeavesNothingRunning(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	open := func() {
		c, err := Open(t.Context(), to(s))
		if err != nil {
			t.Fatal(err)
		}
		j := begin(s, c)
		j.succeed()
		if _, err := c.Await(t.Context(), "test", "X", j.start(c)); err != nil {
			t.Error(err)
		}
		if _, err := c.REST(t.Context()); err != nil {
			t.Error(err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	open()
	before := runtime.NumGoroutine()
	for range 10 {
		open()
	}
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before+2 && time.Now().Before(deadline) { // those of the server end by themselves
		time.Sleep(10 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before+2 {
		t.Errorf("%d goroutines, %d before", n, before)
	}
	balanced(t, s)
}

func TestPasswordChangedMeanwhileIsTriedOnce(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	c := connected(t, to(s))
	c.cfg.Password = "the old one"
	s.ExpireSessions()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := read(t.Context(), c); fault.Code(err) != backends.Auth {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if s.WrongPasswords() != 1 || s.Locked() {
		t.Errorf("%d wrong passwords", s.WrongPasswords())
	}
}

func TestSecondRefusalIsAuth(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	c := connected(t, to(s))
	s.Fail("RetrievePropertiesEx", "", &types.NotAuthenticated{}, 0)
	if err := read(t.Context(), c); fault.Code(err) != backends.Auth {
		t.Error(err)
	}
	if s.Logins() != 2 {
		t.Errorf("%d logins", s.Logins())
	}
}

func TestRestartOfVCenter(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	c := connected(t, to(s))
	r, err := c.REST(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.Stop()
	done := make(chan error, 40)
	for range 20 {
		go func() { done <- read(t.Context(), c) }()
		go func() {
			_, err := tags.NewManager(r).ListTags(t.Context())
			done <- err
		}()
	}
	time.Sleep(300 * time.Millisecond) // it takes a while
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	s.Unavailable("*", "", 5) // and its services longer
	for range 40 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if s.Logins() != 2 || s.RESTLogins() != 2 {
		t.Errorf("%d logins, %d of REST", s.Logins(), s.RESTLogins())
	}
}

func TestBrokenConnections(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	c := connected(t, to(s))
	s.Drop("RetrievePropertiesEx", "", 2)
	if err := read(t.Context(), c); err != nil {
		t.Errorf("a read: %v", err)
	}
	s.ResetCalls()
	s.Lose("CreateFolder", "", 1)
	_, err := c.folder(t, "once")
	if fault.Code(err) != backends.Transient {
		t.Errorf("a write: %v", err)
	}
	if n := s.Calls()["CreateFolder"]; n != 1 {
		t.Errorf("a write that may have been executed was sent %d times", n)
	}
	s.Unavailable("CreateFolder", "", 2)
	if _, err := c.folder(t, "twice"); err != nil {
		t.Errorf("a write that was not executed: %v", err)
	}
}

func TestReadsSurviveAFlakyNetwork(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{Delay: 5 * time.Millisecond})
	c := connected(t, to(s))
	s.Flaky(0.05, 7)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for range 4 {
				if err := read(t.Context(), c); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := s.Calls()["RetrievePropertiesEx"]; n <= 200 {
		t.Errorf("%d calls: nothing failed", n)
	}
}

func TestSessionCache(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	cfg := to(s)
	cfg.SessionCache = filepath.Join(t.TempDir(), "sessions")
	use := func() {
		t.Helper()
		c, err := Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.REST(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tags.NewManager(r).ListTags(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(read(t.Context(), c), c.Close()); err != nil {
			t.Fatal(err)
		}
	}
	use()
	use()
	if s.Logins() != 1 || s.RESTLogins() != 1 || s.Logouts() != 0 || s.RESTLogouts() != 0 {
		t.Errorf("%d logins, %d of REST; %d and %d logouts", s.Logins(), s.RESTLogins(), s.Logouts(), s.RESTLogouts())
	}
	files, _ := filepath.Glob(filepath.Join(cfg.SessionCache, "*"))
	if len(files) != 1 {
		t.Fatal(files)
	}
	if i, err := os.Stat(files[0]); err != nil || i.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", i.Mode(), err)
	}
	s.ExpireSessions()
	use()
	use()
	if s.Logins() != 2 || s.RESTLogins() != 2 {
		t.Errorf("after the end of the session: %d logins, %d of REST", s.Logins(), s.RESTLogins())
	}
	if err := os.WriteFile(files[0], []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	use()
	if s.Logins() != 3 {
		t.Errorf("after the file was spoilt: %d logins", s.Logins())
	}
}

func TestCloseOfAServerThatIsGone(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	gone, err := Open(ctx, to(s))
	if err != nil {
		t.Fatal(err)
	}
	hangs := connected(t, to(s))
	orderly, err := Open(ctx, to(s))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := orderly.Close(); err != nil || s.Logouts() != 1 {
		t.Errorf("after its context ended: %v", err)
	}
	s.Hang("Logout", "", 1)
	begun := time.Now()
	if err := hangs.Close(); err == nil || time.Since(begun) > farewell+2*time.Second {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
	s.Stop()
	begun = time.Now()
	if err := gone.Close(); backends.CodeOf(err) != backends.Transient || time.Since(begun) > farewell {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
}

func TestPrivilegesAreNamed(t *testing.T) {
	s := vcsim.Start(t, vcsim.Options{})
	c := connected(t, to(s))
	root := c.VIM().ServiceContent.RootFolder
	s.Fail("CreateFolder", "", &types.NoPermission{Object: &root, PrivilegeId: "Folder.Create"}, 1)
	_, err := c.folder(t, "x")
	want := `Unable to create folder "x": the account lacks privilege Folder.Create on folder "Datacenters"`
	if got := fault.Wrap(err, "create", `folder "x"`); got.Error() != want || backends.CodeOf(got) != backends.Auth {
		t.Errorf("%v", got)
	}
}
