package pve

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// idle is how long an unused connection is kept. pveproxy closes it after five seconds, and a creation that is sent at that
// very moment is lost without anybody knowing whether it was heard.
const idle = 3 * time.Second

// place is one endpoint.
type place struct {
	url    *url.URL
	client *http.Client
}

func newPlace(text string, t *trust) (*place, error) {
	u, err := parseEndpoint(text)
	if err != nil {
		return nil, err
	}
	config := t.config(u.Host)
	return &place{url: u, client: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:       http.ProxyFromEnvironment,
			DialContext: t.dialer.DialContext,
			DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				return t.dial(ctx, network, addr, config)
			},
			TLSClientConfig:     config,
			TLSHandshakeTimeout: connecting,
			MaxIdleConns:        parallel + transfers,
			MaxIdleConnsPerHost: parallel + transfers,
			IdleConnTimeout:     idle,
		},
	}}, nil
}

// name is the endpoint as errors show it.
func (p *place) name() string { return "https://" + p.url.Host }

// places are the endpoints of a cluster, one of which is in use.
type places struct {
	all []*place

	mu  sync.Mutex
	now int
}

func newPlaces(cfg *Config) (*places, error) {
	t, err := newTrust(cfg)
	if err != nil {
		return nil, err
	}
	ps := &places{}
	for _, text := range cfg.Endpoints {
		p, err := newPlace(text, t)
		if err != nil {
			return nil, err
		}
		ps.all = append(ps.all, p)
	}
	return ps, nil
}

// current returns the endpoint in use.
func (ps *places) current() *place {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.all[ps.now]
}

// leave goes on to the next endpoint, unless somebody did so already since from was in use.
func (ps *places) leave(from *place) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.all[ps.now] == from {
		ps.now = (ps.now + 1) % len(ps.all)
	}
}

func (ps *places) close() {
	for _, p := range ps.all {
		p.client.CloseIdleConnections()
	}
}
