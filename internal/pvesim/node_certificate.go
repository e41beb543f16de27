package pvesim

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
)

func init() { handle("GET /nodes/{node}/certificates/info", certificateInfo) }

// certificateInfo tells of the authority's certificate and of that of the node.
func certificateInfo(r *request) (any, error) {
	list := []any{}
	if one := describeCertificate("pve-root-ca.pem", r.authority); one != nil {
		list = append(list, one)
	}
	list = append(list, map[string]any{
		"filename": "pve-ssl.pem", "fingerprint": r.fingerprint, "subject": "/OU=PVE Cluster Node/O=Proxmox Virtual Environment/CN=" + r.p["node"], "san": []string{r.p["node"]},
	})
	return list, nil
}

func describeCertificate(file, text string) map[string]any {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	sum := sha256.Sum256(c.Raw)
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = fmt.Sprintf("%02X", b)
	}
	one := map[string]any{
		"filename": file, "pem": text, "fingerprint": strings.Join(pairs, ":"), "subject": c.Subject.String(), "issuer": c.Issuer.String(),
		"notbefore": c.NotBefore.Unix(), "notafter": c.NotAfter.Unix(), "san": append([]string{}, c.DNSNames...), "public-key-type": "id-ecPublicKey",
	}
	if key, ok := c.PublicKey.(*ecdsa.PublicKey); ok {
		one["public-key-bits"] = key.Params().BitSize
	}
	return one
}
