package cloudinit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
)

var errDamaged = errors.New("the seed volume is damaged: its directory points outside of the image")

// ReadISO reads a NoCloud volume, made by ISO or by another tool. Files that a seed does not
// have are ignored. It holds no more memory than a few times the image's size.
func ReadISO(image []byte) (Seed, error) {
	primary, joliet, err := descriptors(image)
	if err != nil {
		return Seed{}, err
	}
	if label := strings.TrimRight(string(primary[40:72]), " \x00"); !strings.EqualFold(label, volumeLabel) {
		return Seed{}, fmt.Errorf("the volume is labelled %.32q, a seed is labelled %q", label, volumeLabel)
	}
	found, err := rootFiles(image, primary, false)
	if err != nil {
		return Seed{}, err
	}
	// Without Rock Ridge the plain names are of no use; Joliet's are.
	if _, ok := found[fileMetaData]; !ok && joliet != nil {
		if found, err = rootFiles(image, joliet, true); err != nil {
			return Seed{}, err
		}
	}
	if found[fileMetaData] == nil && found[fileUserData] == nil {
		return Seed{}, errors.New("the volume has neither meta-data nor user-data")
	}
	s := Seed{
		UserData:      string(found[fileUserData]),
		MetaData:      string(found[fileMetaData]),
		VendorData:    string(found[fileVendorData]),
		NetworkConfig: string(found[fileNetworkConfig]),
	}
	if data := found[fileInputs]; len(data) > 0 {
		s.Inputs = append([]byte(nil), data...) // not a view of the image
	}
	return s, nil
}

func descriptors(image []byte) (primary, joliet []byte, err error) {
	for n := sectorPrimary; n < sectorPrimary+16; n++ {
		d, ok := slice(image, n*sector, sector)
		if !ok || string(d[1:6]) != "CD001" || d[0] == 255 {
			break
		}
		switch {
		case d[0] == 1 && primary == nil:
			primary = d
		case d[0] == 2 && d[88] == '%' && d[89] == '/':
			joliet = d
		}
	}
	if primary == nil {
		return nil, nil, errors.New("the image is not an ISO 9660 volume")
	}
	return primary, joliet, nil
}

// rootFiles reads the wanted files of a volume's root directory; the contents are views of the image.
func rootFiles(image, descriptor []byte, joliet bool) (map[string][]byte, error) {
	dir, ok := extent(image, descriptor[156:190])
	if !ok {
		return nil, errDamaged
	}
	found := map[string][]byte{}
	for at := 0; at < len(dir); {
		length := int(dir[at])
		if length == 0 { // records do not cross sectors: the rest of this one is empty
			at += sector - at%sector
			continue
		}
		r, ok := slice(dir, at, length)
		if !ok || length < 34 || 33+int(r[32]) > length {
			return nil, errDamaged
		}
		at += length
		name := fileName(r, joliet)
		if _, wanted := isoNames[name]; !wanted || r[25]&2 != 0 || found[name] != nil {
			continue
		}
		data, ok := extent(image, r)
		if !ok || len(data) > maxFile {
			return nil, errDamaged
		}
		found[name] = data
	}
	return found, nil
}

func fileName(r []byte, joliet bool) string {
	name := r[33 : 33+int(r[32])]
	if joliet {
		units := make([]uint16, len(name)/2)
		for i := range units {
			units[i] = binary.BigEndian.Uint16(name[2*i:])
		}
		plain, _, _ := strings.Cut(string(utf16.Decode(units)), ";")
		return plain
	}
	// Rock Ridge's names stand in NM fields behind the plain name and its padding.
	var long []byte
	use := r[min(33+len(name)+(len(name)+1)%2, len(r)):]
	for len(use) >= 4 {
		n := int(use[2])
		if n < 4 || n > len(use) {
			break
		}
		if use[0] == 'N' && use[1] == 'M' && n >= 5 {
			long = append(long, use[5:n]...)
		}
		use = use[n:]
	}
	return string(long)
}

// extent is what a directory record points at.
func extent(image, r []byte) ([]byte, bool) {
	start, size := binary.LittleEndian.Uint32(r[2:]), binary.LittleEndian.Uint32(r[10:])
	if int64(start)*sector > int64(len(image)) {
		return nil, false
	}
	return slice(image, int(start)*sector, int(size))
}

func slice(b []byte, at, n int) ([]byte, bool) {
	if at < 0 || n < 0 || at > len(b) || n > len(b)-at {
		return nil, false
	}
	return b[at : at+n : at+n], true
}
