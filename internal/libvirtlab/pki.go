package libvirtlab

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// PKI is a certificate authority with one server and one client certificate, as PEM files under the names
// that libvirt's pkipath parameter expects.
type PKI struct {
	Dir                       string
	CACert                    string // path of the authority's certificate
	ServerCert, ServerKey     string // made out to 127.0.0.1 and localhost
	ClientCert, ClientKey     string
	StrangerCACert            string // an authority that signed nothing of the lab
	StrangerCert, StrangerKey string // client certificate of that authority
}

// newPKI writes a fresh set of certificates, good for a day, into dir, which must exist.
func newPKI(dir string) (PKI, error) {
	at := func(name string) string { return filepath.Join(dir, name) }
	p := PKI{
		Dir:            dir,
		CACert:         at("cacert.pem"),
		ServerCert:     at("servercert.pem"),
		ServerKey:      at("serverkey.pem"),
		ClientCert:     at("clientcert.pem"),
		ClientKey:      at("clientkey.pem"),
		StrangerCACert: at("stranger-cacert.pem"),
		StrangerCert:   at("stranger-clientcert.pem"),
		StrangerKey:    at("stranger-clientkey.pem"),
	}
	lab, err := newAuthority("virtrigaud lab", p.CACert)
	if err != nil {
		return PKI{}, err
	}
	stranger, err := newAuthority("somebody else", p.StrangerCACert)
	if err != nil {
		return PKI{}, err
	}
	if err := lab.issue("localhost", x509.ExtKeyUsageServerAuth, p.ServerCert, p.ServerKey); err != nil {
		return PKI{}, err
	}
	if err := lab.issue("client", x509.ExtKeyUsageClientAuth, p.ClientCert, p.ClientKey); err != nil {
		return PKI{}, err
	}
	return p, stranger.issue("stranger", x509.ExtKeyUsageClientAuth, p.StrangerCert, p.StrangerKey)
}

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(name, certFile string) (authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return authority{}, err
	}
	cert := template(name)
	cert.IsCA, cert.BasicConstraintsValid, cert.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		return authority{}, err
	}
	if cert, err = x509.ParseCertificate(der); err != nil {
		return authority{}, err
	}
	return authority{cert, key}, writePEM(certFile, "CERTIFICATE", der)
}

func (a authority) issue(name string, usage x509.ExtKeyUsage, certFile, keyFile string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	cert := template(name)
	// libvirt insists on the second usage, which elliptic keys have no use for.
	cert.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	cert.ExtKeyUsage = []x509.ExtKeyUsage{usage}
	if usage == x509.ExtKeyUsageServerAuth {
		cert.DNSNames, cert.IPAddresses = []string{name}, []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, a.cert, key.Public(), a.key)
	if err != nil {
		return err
	}
	if err := writePEM(certFile, "CERTIFICATE", der); err != nil {
		return err
	}
	return writeKey(keyFile, key)
}

func template(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62)) // the reader never fails
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
}

func writeKey(file string, key crypto.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(file, "PRIVATE KEY", der)
}

func writePEM(file, kind string, der []byte) error {
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
