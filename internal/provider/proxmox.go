package provider

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
)

// proxmoxModel is the proxmox object of the provider block.
type proxmoxModel struct {
	Endpoint      *string `tfsdk:"endpoint"`
	APIToken      *string `tfsdk:"api_token"`
	Username      *string `tfsdk:"username"`
	Password      *string `tfsdk:"password"`
	OTP           *string `tfsdk:"otp"`
	Insecure      *bool   `tfsdk:"insecure"`
	CACertificate *string `tfsdk:"ca_certificate"`
	Fingerprint   *string `tfsdk:"fingerprint"`
	Node          *string `tfsdk:"node"`
	Storage       *string `tfsdk:"storage"`
	ImageStorage  *string `tfsdk:"image_storage"`
	Bridge        *string `tfsdk:"bridge"`
	Pool          *string `tfsdk:"pool"`
	VMIDRange     *string `tfsdk:"vm_id_range"`
}

// proxmoxEndpoint is the variable that stands for a proxmox block.
const proxmoxEndpoint = "PROXMOX_VE_ENDPOINT"

func (m *proxmoxModel) resolve(r *resolver) func(context.Context) (backends.Backend, error) {
	cfg := m.config(r)
	return func(ctx context.Context) (backends.Backend, error) { return proxmox.Open(ctx, cfg) }
}

func (m *proxmoxModel) config(r *resolver) proxmox.Config {
	if m == nil {
		m = &proxmoxModel{}
	}
	cfg := proxmox.Config{
		Config: pve.Config{
			Endpoints:     list(r.required(m.Endpoint, "proxmox", "endpoint", proxmoxEndpoint)),
			Insecure:      r.flag(m.Insecure, "PROXMOX_VE_INSECURE"),
			CACertificate: r.text(m.CACertificate, "PROXMOX_VE_CA_CERTIFICATE"),
			Fingerprint:   r.text(m.Fingerprint, "PROXMOX_VE_FINGERPRINT"),
		},
		ListingAge: 2 * time.Second, // reads of one refresh come in groups
		Defaults: proxmox.Defaults{
			Node:         r.text(m.Node, "PROXMOX_VE_NODE"),
			Storage:      r.text(m.Storage, "PROXMOX_VE_STORAGE"),
			ImageStorage: r.text(m.ImageStorage, "PROXMOX_VE_IMAGE_STORAGE"),
			Bridge:       r.text(m.Bridge, "PROXMOX_VE_BRIDGE"),
			Pool:         r.text(m.Pool, "PROXMOX_VE_POOL"),
		},
	}
	m.login(r, &cfg.Config)
	cfg.FirstID, cfg.LastID = m.ids(r)
	const insecure = "PROXMOX_VE_INSECURE"
	r.contradiction("proxmox", cfg.Insecure, insecure, "fingerprint", cfg.Fingerprint, "PROXMOX_VE_FINGERPRINT")
	r.contradiction("proxmox", cfg.Insecure, insecure, "ca_certificate", cfg.CACertificate, "PROXMOX_VE_CA_CERTIFICATE")
	return cfg
}

// login is by token or by password. Which of them the block has decides; what the environment has of the other is left alone then.
func (m *proxmoxModel) login(r *resolver, cfg *pve.Config) {
	token := r.text(m.APIToken, "PROXMOX_VE_API_TOKEN")
	user, password := r.text(m.Username, "PROXMOX_VE_USERNAME"), r.text(m.Password, "PROXMOX_VE_PASSWORD")
	otp := r.text(m.OTP, "PROXMOX_VE_OTP")
	byPassword := m.Username != nil || m.Password != nil || m.OTP != nil
	switch {
	case m.APIToken != nil && byPassword:
		r.mistake("api_token", "Contradictory settings", "proxmox.api_token is one way to log in, and proxmox.username with proxmox.password is another. Leave one of them out.")
	case m.APIToken != nil, !byPassword && token != "" && user == "" && password == "":
		cfg.APIToken = token
		if token == "" {
			r.mistake("api_token", "Missing setting", "proxmox.api_token is empty. It has the form user@realm!name=secret.")
		}
	case !byPassword && token != "":
		r.mistake("api_token", "Contradictory settings", "PROXMOX_VE_API_TOKEN is one way to log in, and PROXMOX_VE_USERNAME with PROXMOX_VE_PASSWORD is another. "+
			"Unset one of them, or name the one that is meant in the provider block.")
	case !byPassword && user == "" && password == "":
		r.mistake("api_token", "Missing setting", "Neither proxmox.api_token (or PROXMOX_VE_API_TOKEN) nor proxmox.username and proxmox.password "+
			"(or PROXMOX_VE_USERNAME and PROXMOX_VE_PASSWORD) are set. Set one of the two.")
	default:
		cfg.Username = r.required(m.Username, "proxmox", "username", "PROXMOX_VE_USERNAME")
		cfg.Password = r.required(m.Password, "proxmox", "password", "PROXMOX_VE_PASSWORD")
		cfg.OTP = otp
	}
}

// ids are the bounds of the VMIDs of new VMs, 0 where none are given.
func (m *proxmoxModel) ids(r *resolver) (first, last int64) {
	text := r.text(m.VMIDRange, "PROXMOX_VE_VM_ID_RANGE")
	if text == "" {
		return 0, 0
	}
	first, last, err := vmIDRange(text)
	if err != nil {
		r.mistake("vm_id_range", "Invalid range of VMIDs", fmt.Sprintf("proxmox.vm_id_range (or PROXMOX_VE_VM_ID_RANGE) %s.", err))
	}
	return first, last
}

// The VMIDs that Proxmox VE takes.
const (
	firstVMID = 100
	lastVMID  = 999_999_999
)

// vmIDRange reads a range such as "1000-1999".
func vmIDRange(text string) (first, last int64, err error) {
	low, high, ok := strings.Cut(text, "-")
	if ok {
		first, err = strconv.ParseInt(strings.TrimSpace(low), 10, 64)
	}
	if ok && err == nil {
		last, err = strconv.ParseInt(strings.TrimSpace(high), 10, 64)
	}
	switch {
	case !ok || err != nil:
		return 0, 0, fmt.Errorf(`must be two numbers such as "1000-1999", not %q`, text)
	case first < firstVMID || last > lastVMID || first > last:
		return 0, 0, fmt.Errorf("must lie between %d and %d, the lower number first, not %q", firstVMID, lastVMID, text)
	}
	return first, last, nil
}

// mistake remembers the first mistake in the proxmox object.
func (r *resolver) mistake(name, summary, detail string) {
	if r.bad == nil {
		r.bad = &problem{at: path.Root("proxmox").AtName(name), summary: summary, detail: detail}
	}
}

// list splits a text at its commas.
func list(text string) []string {
	var all []string
	for one := range strings.SplitSeq(text, ",") {
		if one = strings.TrimSpace(one); one != "" {
			all = append(all, one)
		}
	}
	return all
}
