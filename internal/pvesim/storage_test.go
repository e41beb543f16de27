package pvesim

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// versions runs a test against both versions of Proxmox VE.
func versions(t *testing.T, test func(t *testing.T, s *Server)) {
	for _, v := range []int{8, 9} {
		t.Run(fmt.Sprintf("version %d", v), func(t *testing.T) { test(t, Start(t, Options{Version: v})) })
	}
}

// must performs a call that has to succeed.
func must(t *testing.T, s *Server, method, path string, p params) any {
	t.Helper()
	data, err := s.call(method, path, p)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return data
}

// refused performs a call that has to fail.
func refused(t *testing.T, s *Server, method, path string, p params, want string) {
	t.Helper()
	if _, err := s.call(method, path, p); err == nil || !strings.Contains(describe(err), want) {
		t.Errorf("%s %s %v: %q, want %q", method, path, p, describe(err), want)
	}
}

// describe is an error with what it says of parameters.
func describe(err error) string {
	r, ok := err.(*refusal)
	if !ok || r.errors == nil {
		return fmt.Sprint(err)
	}
	return fmt.Sprint(r.Error(), r.errors)
}

// ended waits for a task and returns how it ended, and its log.
func ended(t *testing.T, s *Server, upid any) (string, []string) {
	t.Helper()
	id, _ := upid.(string)
	s.mu.Lock()
	task := s.tasks.byUPID[id]
	s.mu.Unlock()
	if task == nil {
		t.Fatalf("no task %v", upid)
	}
	select {
	case <-task.done:
	case <-t.Context().Done():
		t.Fatalf("%s goes on", id)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return task.exit, slices.Clone(task.log)
}

// succeed performs a call and waits for its task to end well.
func succeed(t *testing.T, s *Server, method, path string, p params) []string {
	t.Helper()
	exit, log := ended(t, s, must(t, s, method, path, p))
	if exit != "OK" {
		t.Fatalf("%s %s: %s\n%s", method, path, exit, strings.Join(log, "\n"))
	}
	return log
}

// fails performs a call whose task has to end with an error.
func fails(t *testing.T, s *Server, method, path string, p params, want string) []string {
	t.Helper()
	exit, log := ended(t, s, must(t, s, method, path, p))
	if !strings.Contains(exit, want) {
		t.Errorf("%s %s: ended %q, want %q", method, path, exit, want)
	}
	return log
}

const (
	localContent = "/nodes/pve1/storage/local/content"
	localGet     = "/nodes/pve1/storage/local/download-url"
)

func TestStorageConfiguration(t *testing.T) {
	versions(t, func(t *testing.T, s *Server) {
		must(t, s, "POST", "/storage", params{"storage": "tank", "type": "zfspool", "pool": "rpool/data", "sparse": "1"})
		got, _ := must(t, s, "GET", "/storage/tank", nil).(map[string]any)
		if got["content"] != "images,rootdir" || got["sparse"] != 1 || got["pool"] != "rpool/data" {
			t.Errorf("the new storage is %v", got)
		}
		must(t, s, "POST", "/storage", params{"storage": "share", "type": "nfs", "server": "10.0.0.1", "export": "/e", "content": "iso,images"})
		got, _ = must(t, s, "GET", "/storage/share", nil).(map[string]any)
		if got["path"] != "/mnt/pve/share" || got["shared"] != 1 {
			t.Errorf("the new share is %v", got)
		}
		refused(t, s, "POST", "/storage", params{"storage": "x1", "type": "dir", "path": "/x", "pool": "p"}, "unexpected property 'pool'")
		refused(t, s, "PUT", "/storage/share", params{"delete": "path"}, "unable to delete fixed option 'path'")
		refused(t, s, "PUT", "/storage/share", params{"delete": "server"}, "unable to delete required option 'server'")
		refused(t, s, "PUT", "/storage/tank", params{"digest": strings.Repeat("0", 40), "disable": "1"}, "detected modified configuration")

		must(t, s, "PUT", "/storage/tank", params{"digest": got["digest"].(string), "nodes": "elsewhere"})
		refused(t, s, "GET", "/nodes/pve1/storage/tank/content", nil, "storage 'tank' is not available on node 'pve1'")
		status, _ := must(t, s, "GET", "/nodes/pve1/storage/tank/status", nil).(map[string]any)
		if status["enabled"] != 0 || status["active"] != 0 {
			t.Errorf("a storage of another node: %v", status)
		}
		must(t, s, "PUT", "/storage/tank", params{"delete": "nodes"})
		must(t, s, "GET", "/nodes/pve1/storage/tank/content", nil)
	})
}

// An entry that is removed and made again has its volumes again; one for another place has none.
func TestStorageEntryAgain(t *testing.T) {
	s := Start(t, Options{})
	entry := params{"storage": "extra", "type": "dir", "path": "/srv/extra"}
	must(t, s, "POST", "/storage", entry)
	must(t, s, "POST", "/nodes/pve1/storage/extra/content", params{"vmid": "150", "filename": "vm-150-disk-0.raw", "size": "1M"})
	must(t, s, "DELETE", "/storage/extra", nil)
	must(t, s, "POST", "/storage", entry)
	if got := s.Volumes("", "extra"); !slices.Equal(got, []string{"extra:150/vm-150-disk-0.raw"}) {
		t.Errorf("the same place has %v", got)
	}
	must(t, s, "DELETE", "/storage/extra", nil)
	entry["path"] = "/srv/other"
	must(t, s, "POST", "/storage", entry)
	if got := s.Volumes("", "extra"); len(got) > 0 {
		t.Errorf("another place has %v", got)
	}
}

func TestAllocate(t *testing.T) {
	s := Start(t, Options{})
	const lvm = "/nodes/pve1/storage/local-lvm/content"
	if got := must(t, s, "POST", lvm, params{"vmid": "150", "filename": "vm-150-disk-7", "size": "1025"}); got != "local-lvm:vm-150-disk-7" {
		t.Errorf("made %v", got)
	}
	info, _ := must(t, s, "GET", lvm+"/vm-150-disk-7", nil).(map[string]any)
	if info["size"] != int64(4<<20) || info["path"] != "/dev/pve/vm-150-disk-7" || info["format"] != "raw" {
		t.Errorf("the volume is %v: LVM rounds up to extents of 4 MiB", info)
	}
	refused(t, s, "POST", lvm, params{"vmid": "150", "filename": "vm-151-disk-0", "size": "1M"}, "illegal name 'vm-151-disk-0' - should be 'vm-150-*'")
	refused(t, s, "POST", lvm, params{"vmid": "150", "filename": "vm-150-disk-8", "size": "1M", "format": "qcow2"}, "unsupported format 'qcow2'")
	refused(t, s, "POST", lvm, params{"vmid": "150", "filename": "vm-150-disk-7", "size": "1M"}, "already exists in volume group")
	refused(t, s, "POST", localContent, params{"vmid": "150", "filename": "vm-150-disk-0.raw", "size": "1M", "format": "qcow2"}, "different storage formats (qcow2 != raw)")
	refused(t, s, "GET", lvm+"/local:150/x.raw", nil, "storage ID mismatch (local != local-lvm)")
}

// A storage that takes space when a volume is made refuses one that it has no space for; the others take anything until it is written.
func TestAllocateWithoutSpace(t *testing.T) {
	s := Start(t, Options{})
	must(t, s, "POST", "/storage", params{"storage": "thick", "type": "lvm", "vgname": "vg0"})
	must(t, s, "POST", "/storage", params{"storage": "tank", "type": "zfspool", "pool": "tank"})
	for _, id := range []string{"thick", "tank", "local-lvm", "local"} {
		s.SetStorageSpace(id, 1<<30)
	}
	disk := params{"vmid": "150", "filename": "vm-150-disk-0", "size": "2G"}
	refused(t, s, "POST", "/nodes/pve1/storage/thick/content", disk, `Volume group "vg0" has insufficient free space (256 extents): 512 required.`)
	refused(t, s, "POST", "/nodes/pve1/storage/tank/content", disk, "zfs error: cannot create 'tank/vm-150-disk-0': out of space")
	must(t, s, "POST", "/nodes/pve1/storage/local-lvm/content", disk)
	must(t, s, "POST", localContent, params{"vmid": "150", "filename": "vm-150-disk-0.raw", "size": "2G"})
}

// sendFile sends a file as browsers do.
func sendFile(c *client, content, name string, data []byte, fields ...string) answer {
	c.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	_ = w.WriteField("content", content)
	for i := 0; i+1 < len(fields); i += 2 {
		_ = w.WriteField(fields[i], fields[i+1])
	}
	part, _ := w.CreateFormFile("filename", name)
	_, _ = part.Write(data)
	_ = w.Close()
	h, err := http.NewRequestWithContext(c.t.Context(), "POST", c.s.URL()+prefix+"/nodes/pve1/storage/local/upload", &b)
	if err != nil {
		c.t.Fatal(err)
	}
	h.Header = c.header.Clone()
	h.Header.Set("Content-Type", w.FormDataContentType())
	a, err := c.send(h)
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

func TestUpload(t *testing.T) {
	versions(t, func(t *testing.T, s *Server) {
		c := newClient(t, s)
		data := bytes.Repeat([]byte("an image of a medium\n"), 10000)
		sum := sha256.Sum256(data)
		a := sendFile(c, "iso", "a b+c.iso", data, "checksum-algorithm", "sha256", "checksum", hex.EncodeToString(sum[:]))
		if a.status != 200 {
			t.Fatalf("%d %s %s", a.status, a.reason, a.text)
		}
		if exit, log := ended(t, s, a.body["data"]); exit != "OK" || !slices.Contains(log, "calculating checksum...OK, checksum verified") {
			t.Errorf("ended %s: %q", exit, log)
		}
		if got, err := s.ReadVolume("", "local:iso/a_b_c.iso", 0, len(data)); err != nil || !bytes.Equal(got, data) {
			t.Errorf("other bytes than were sent: %v", err)
		}
		s.SetStorageSpace("local", 1000)
		exit, _ := ended(t, s, sendFile(c, "iso", "more.iso", data).body["data"])
		if want := "import failed: cp: error writing '/var/lib/vz/template/iso/more.iso': No space left on device"; exit != want {
			t.Errorf("ended %q, want %q", exit, want)
		}
		if got := s.Volumes("", "local"); len(got) != 1 {
			t.Errorf("there is %v", got)
		}
	})
}

func TestDownload(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 5<<20/16)
	var gz, zst bytes.Buffer
	g := gzip.NewWriter(&gz)
	_, _ = g.Write(data)
	_ = g.Close()
	z, _ := zstd.NewWriter(&zst)
	_, _ = z.Write(data)
	_ = z.Close()
	files := map[string][]byte{"/a.iso": data, "/a.iso.gz": gz.Bytes(), "/a.iso.zst": zst.Bytes()}
	begun := make(chan struct{}, 2)
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/a.iso", http.StatusFound)
		case "/short":
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write(data[:500])
		case "/endless":
			w.Header().Set("Content-Length", "1000000")
			_, _ = w.Write(data[:500])
			_ = http.NewResponseController(w).Flush()
			begun <- struct{}{}
			<-r.Context().Done()
		default:
			_, _ = w.Write(files[r.URL.Path])
		}
	}))
	web.Config.ErrorLog = discard
	web.StartTLS()
	t.Cleanup(web.Close)
	versions(t, func(t *testing.T, s *Server) {
		get := func(name, path string, more ...string) params {
			p := params{"url": web.URL + path, "content": "iso", "filename": name, "verify-certificates": "0"}
			for i := 0; i+1 < len(more); i += 2 {
				p[more[i]] = more[i+1]
			}
			return p
		}
		sum := sha256.Sum256(data)
		succeed(t, s, "POST", localGet, get("plain.iso", "/moved", "checksum-algorithm", "sha256", "checksum", hex.EncodeToString(sum[:])))
		succeed(t, s, "POST", localGet, get("gz.iso", "/a.iso.gz", "compression", "gz"))
		succeed(t, s, "POST", localGet, get("zst.iso", "/a.iso.zst", "compression", "zst"))
		for _, name := range []string{"plain", "gz", "zst"} {
			if got, err := s.ReadVolume("", "local:iso/"+name+".iso", 0, len(data)); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s: other bytes than were served: %v", name, err)
			}
		}
		fails(t, s, "POST", localGet, get("plain.iso", "/a.iso"), "refusing to override existing file '/var/lib/vz/template/iso/plain.iso'")
		fails(t, s, "POST", localGet, get("short.iso", "/short"), "download failed: exit code 4")
		p := get("strict.iso", "/a.iso")
		delete(p, "verify-certificates")
		fails(t, s, "POST", localGet, p, "download failed: exit code 5")
		p = get("x.qcow2", "/a.iso.gz", "compression", "gz")
		p["content"] = "import"
		fails(t, s, "POST", localGet, p, "decompression not supported for import")
		s.SetStorageSpace("local", 20<<20)
		fails(t, s, "POST", localGet, get("full.iso", "/a.iso"), "No space left on device")
		s.SetStorageSpace("local", 1<<40)

		upid, _ := must(t, s, "POST", localGet, get("endless.iso", "/endless")).(string)
		<-begun
		must(t, s, "DELETE", "/nodes/pve1/tasks/"+url.PathEscape(upid), nil)
		if exit, _ := ended(t, s, upid); exit != "download failed: received interrupt" {
			t.Errorf("a download that was stopped ended %q", exit)
		}
		if got := s.Volumes("", "local"); len(got) != 3 {
			t.Errorf("there is %v", got)
		}
		meta, _ := must(t, s, "GET", "/nodes/pve1/query-url-metadata", params{"url": web.URL + "/short", "verify-certificates": "0"}).(map[string]any)
		if meta["filename"] != "short" || meta["size"] != int64(1000) {
			t.Errorf("metadata %v", meta)
		}
	})
}

// Who may only see a storage sees its ISO images, but not the disks of VMs that are not his.
func TestContentOfOthers(t *testing.T) {
	s := Start(t, Options{})
	put(t, s, "local:iso/a.iso", []byte("x"))
	put(t, s, "local:snippets/user.yaml", []byte("#cloud-config"))
	for _, id := range []string{"150", "151"} {
		must(t, s, "POST", localContent, params{"vmid": id, "filename": "vm-" + id + "-disk-0.raw", "size": "1M"})
	}
	must(t, s, "POST", "/access/users", params{"userid": "eve@pve"})
	must(t, s, "PUT", "/access/acl", params{"path": "/storage/local", "users": "eve@pve", "roles": "PVEAuditor"})
	must(t, s, "PUT", "/access/acl", params{"path": "/vms/151", "users": "eve@pve", "roles": "PVEVMAdmin"})
	token, _ := must(t, s, "POST", "/access/users/eve@pve/token/tf", params{"privsep": "0"}).(map[string]any)
	c := newClient(t, s)
	c.header.Set("Authorization", fmt.Sprintf("PVEAPIToken=eve@pve!tf=%v", token["value"]))
	var seen []string
	for _, v := range c.want(200, "OK", "GET", localContent, "").body["data"].([]any) {
		seen = append(seen, v.(map[string]any)["volid"].(string))
	}
	if want := []string{"local:151/vm-151-disk-0.raw", "local:iso/a.iso"}; !slices.Equal(seen, want) {
		t.Errorf("seen %v, want %v", seen, want)
	}
	c.want(403, "Permission check failed (/vms/150, VM.Config.Disk)", "GET", localContent+"/local:150/vm-150-disk-0.raw", "")
	c.want(403, "Permission check failed (/storage/local, Datastore.Allocate)", "DELETE", localContent+"/local:151/vm-151-disk-0.raw", "")
	c.want(500, "missing privileges to access local:snippets/user.yaml", "GET", localContent+"/local:snippets/user.yaml", "")
}
