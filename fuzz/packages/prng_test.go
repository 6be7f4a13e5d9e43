//go:build linux

package packages

import (
	"bytes"
	"encoding/binary"
)

// prngDLL makes a library of Windows without code: its one function, ProcessPrng, is another name of the system's older source of random bytes. Every program
// of Go asks for it, and Wine has it only since its version 9.
func prngDLL() []byte {
	const (
		headers = 0x200  // bytes of the file before the section
		section = 0x1000 // where it lies in memory
	)
	le := binary.LittleEndian

	// The export directory, the tables of one function, and the names.
	const directory = 40
	names := []string{"bcryptprimitives.dll", "ProcessPrng", "advapi32.SystemFunction036"}
	at := make([]uint32, len(names))
	text := []byte{}
	for i, name := range names {
		at[i] = uint32(section + directory + 4 + 4 + 4 + len(text))
		text = append(append(text, name...), 0)
	}
	exports := make([]byte, directory)
	le.PutUint32(exports[12:], at[0])
	le.PutUint32(exports[16:], 1) // first ordinal
	le.PutUint32(exports[20:], 1) // functions
	le.PutUint32(exports[24:], 1) // names
	le.PutUint32(exports[28:], section+directory)
	le.PutUint32(exports[32:], section+directory+4)
	le.PutUint32(exports[36:], section+directory+8)
	exports = le.AppendUint32(exports, at[2]) // an address within the directory is the name of a function elsewhere
	exports = le.AppendUint32(exports, at[1])
	exports = le.AppendUint32(exports, 0) // index of the function
	exports = append(exports, text...)

	var b bytes.Buffer
	dos := make([]byte, 0x40)
	copy(dos, "MZ")
	le.PutUint32(dos[0x3c:], 0x40)
	b.Write(dos)
	b.WriteString("PE\x00\x00")
	put := func(values ...any) {
		for _, v := range values {
			_ = binary.Write(&b, le, v) // a buffer takes everything of a fixed size
		}
	}
	put(uint16(0x8664), uint16(1), uint32(0), uint32(0), uint32(0), uint16(240), uint16(0x2022)) // amd64, one section, a library
	put(uint16(0x20b), uint16(0), uint32(0), uint32(headers), uint32(0), uint32(0), uint32(section))
	put(uint64(0x180000000), uint32(0x1000), uint32(headers))
	put(uint16(6), uint16(0), uint16(0), uint16(0), uint16(6), uint16(0), uint32(0))                   // versions
	put(uint32(2*section), uint32(headers), uint32(0), uint16(2), uint16(0x100))                       // sizes; no code that data could become
	put(uint64(1<<20), uint64(1<<12), uint64(1<<20), uint64(1<<12), uint32(0), uint32(16))             // stack, heap
	put(uint32(section), uint32(len(exports)), [15]uint64{})                                           // directories
	put([8]byte{'.', 'e', 'd', 'a', 't', 'a'}, uint32(len(exports)), uint32(section), uint32(headers)) // the section
	put(uint32(headers), uint32(0), uint32(0), uint16(0), uint16(0), uint32(0x40000040))               // readable data
	file := make([]byte, 2*headers)
	copy(file, b.Bytes())
	copy(file[headers:], exports)
	return file
}
