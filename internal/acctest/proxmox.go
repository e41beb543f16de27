package acctest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim"
)

// Proxmox is a simulated Proxmox VE that Terraform and the test share: Terraform over the network, the test in its own process.
type Proxmox struct {
	*pvesim.Server
	// Login are the lines of the provider block by which Terraform logs in; that of a token of root@pam at first.
	Login string

	t      testing.TB
	client *http.Client
	before []string // what there was at the start
}

// NewProxmox starts a simulator that ends with the test. Its VMs have guests, which shut down when they are asked to: a disk without a
// system would have each removal wait for the whole minute that a guest is given.
func NewProxmox(t testing.TB, o pvesim.Options) *Proxmox {
	t.Helper()
	o.Guests = true
	s := pvesim.Start(t, o)
	p := &Proxmox{Server: s, t: t, Login: fmt.Sprintf("api_token = %q", s.Token())}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(s.CACertificate()))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}
	p.client = &http.Client{Transport: transport}
	p.before = p.left()
	return p
}

// Config is body under a provider block for this Proxmox VE. Options are further lines of its proxmox object.
func (p *Proxmox) Config(body string, options ...string) string {
	p.t.Helper()
	lines := append([]string{p.Login}, options...)
	if !slices.ContainsFunc(options, func(o string) bool { return strings.HasPrefix(o, "storage ") }) {
		lines = append(lines, `storage = "local"`)
	}
	return fmt.Sprintf(`
provider "virtrigaud" {
  proxmox = {
    endpoint       = %q
    ca_certificate = <<-EOT
%sEOT
    %s
  }
}
%s`, p.URL(), p.CACertificate(), strings.Join(lines, "\n    "), body)
}

// Do calls the API as root@pam's token and decodes the data of the answer into into, which may be nil.
func (p *Proxmox) Do(method, path string, form url.Values, into any) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	at := p.URL() + "/api2/json" + path
	var body *strings.Reader
	switch method {
	case http.MethodPost, http.MethodPut:
		body = strings.NewReader(form.Encode())
	default:
		body = strings.NewReader("")
		if len(form) > 0 {
			at += "?" + form.Encode()
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, at, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "PVEAPIToken="+p.Token())
	if body.Len() > 0 {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", method, path, res.Status)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(res.Body).Decode(&struct {
		Data any `json:"data"`
	}{into})
}

// must is Do for what has to work.
func (p *Proxmox) must(method, path string, form url.Values, into any) {
	p.t.Helper()
	if err := p.Do(method, path, form, into); err != nil {
		p.t.Fatal(err)
	}
}

// ProxmoxVM is a VM as the cluster lists it.
type ProxmoxVM struct {
	VMID     int    `json:"vmid"`
	Name     string `json:"name"`
	Node     string `json:"node"`
	Pool     string `json:"pool"`
	Status   string `json:"status"`
	Template int    `json:"template"`
}

func (m ProxmoxVM) path(last string) string {
	return fmt.Sprintf("/nodes/%s/qemu/%d%s", m.Node, m.VMID, last)
}

// VMs lists those of the cluster.
func (p *Proxmox) VMs() []ProxmoxVM {
	p.t.Helper()
	var all []ProxmoxVM
	p.must("GET", "/cluster/resources", url.Values{"type": {"vm"}}, &all)
	return all
}

// Has reports whether there is a VM of that name.
func (p *Proxmox) Has(name string) bool {
	p.t.Helper()
	return slices.ContainsFunc(p.VMs(), func(m ProxmoxVM) bool { return m.Name == name })
}

// VM is the VM of that name, which must be there once.
func (p *Proxmox) VM(name string) ProxmoxVM {
	p.t.Helper()
	var found []ProxmoxVM
	for _, m := range p.VMs() {
		if m.Name == name {
			found = append(found, m)
		}
	}
	if len(found) != 1 {
		p.t.Fatalf("there are %d VMs %q", len(found), name)
	}
	return found[0]
}

// Hardware is the configuration of a VM, as its file has it.
func (p *Proxmox) Hardware(name string) map[string]string {
	p.t.Helper()
	var raw map[string]any
	p.must("GET", p.VM(name).path("/config"), nil, &raw)
	c := map[string]string{}
	for key, value := range raw {
		if f, ok := value.(float64); ok {
			value = int64(f)
		}
		c[key] = fmt.Sprint(value)
	}
	return c
}

// Change changes a VM's configuration behind Terraform's back.
func (p *Proxmox) Change(name string, pairs ...string) {
	p.t.Helper()
	p.must("PUT", p.VM(name).path("/config"), form(pairs), nil)
}

// Run starts a task and waits for it; its path is that of the VM and what follows.
func (p *Proxmox) Run(method, name, path string, pairs ...string) {
	p.t.Helper()
	vm := p.VM(name)
	var upid string
	p.must(method, vm.path(path), form(pairs), &upid)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		var s struct{ Status, ExitStatus string }
		p.must("GET", "/nodes/"+vm.Node+"/tasks/"+url.PathEscape(upid)+"/status", nil, &s)
		switch {
		case s.Status != "stopped":
			<-time.After(pause)
			continue
		case s.ExitStatus != "OK":
			p.t.Fatalf("%s %s of %s: %s", method, path, name, s.ExitStatus)
		}
		return
	}
}

// Guest is the guest of the VM of that name.
func (p *Proxmox) Guest(name string) *pvesim.Guest {
	p.t.Helper()
	return p.Server.Guest(p.VM(name).VMID)
}

func form(pairs []string) url.Values {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return values
}

// Running are the types of the tasks that run.
func (p *Proxmox) Running() []string {
	p.t.Helper()
	var all []string
	for _, node := range p.online() {
		var tasks []struct{ Type string }
		if err := p.Do("GET", "/nodes/"+node+"/tasks", url.Values{"source": {"active"}}, &tasks); err != nil {
			continue // the test made it so
		}
		for _, one := range tasks {
			all = append(all, one.Type)
		}
	}
	return all
}

// Busy reports whether a task of the type runs.
func (p *Proxmox) Busy(kind string) func() bool {
	return func() bool { return slices.Contains(p.Running(), kind) }
}

// Sum adds up the requests whose route has a text, "" for all.
func (p *Proxmox) Sum(text string) (n int) {
	for route, count := range p.Requests() {
		if strings.Contains(route, text) {
			n += count
		}
	}
	return n
}

// AssertEmpty fails the test where something is left that was not there when the simulator started: a VM, a volume or file, or a
// task that runs.
func (p *Proxmox) AssertEmpty() {
	p.t.Helper()
	for _, one := range p.left() {
		if !slices.Contains(p.before, one) {
			p.t.Errorf("left behind: %s", one)
		}
	}
	if tasks := p.Running(); len(tasks) > 0 {
		p.t.Errorf("tasks still run: %v", tasks)
	}
}

func (p *Proxmox) online() []string {
	p.t.Helper()
	var nodes []struct{ Node, Status string }
	if err := p.Do("GET", "/nodes", nil, &nodes); err != nil {
		return nil
	}
	var names []string
	for _, n := range nodes {
		if n.Status == "online" {
			names = append(names, n.Node)
		}
	}
	return names
}

// left lists VMs, volumes and files.
func (p *Proxmox) left() []string {
	p.t.Helper()
	var all []string
	for _, m := range p.VMs() {
		all = append(all, fmt.Sprintf("VM %d %s", m.VMID, m.Name))
	}
	var storages []struct{ Storage string }
	p.must("GET", "/storage", nil, &storages)
	for _, s := range storages {
		for _, node := range p.online() {
			for _, v := range p.Volumes(node, s.Storage) {
				all = append(all, "volume "+v+" at "+node)
			}
		}
	}
	return all
}
