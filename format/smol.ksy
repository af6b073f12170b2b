# A .smol file for Kaitai Struct (https://kaitai.io): SPEC.md, sections 2 and 3, in machine-readable form. tests/reference/test_kaitai.py reads
# the golden files by it. What such a description cannot say: checksums, hash and signature, the order of sections, that a meaning has
# one encoding. Halves (binary16) are u2: their bits.
meta:
  id: smol
  title: smol language model
  file-extension: smol
  license: MIT
  ks-version: 0.9
  encoding: ASCII
  endian: le
doc: A language model whose dense matrices are regenerated from a seed, or a delta, by which others are changed.
doc-ref: SPEC.md
seq:
  - id: magic
    contents: [0x89, 0x53, 0x4d, 0x4f, 0x4c, 0x0d, 0x0a, 0x1a]
  - id: major_version
    type: u2
    valid: 1
  - id: minor_version
    type: u2
  - id: num_sections
    type: u2
    valid:
      min: 2
      max: 6
  - id: hints
    type: u2
    doc: Ignorable bits.
  - id: len_body
    type: u8
    valid:
      max: 281474976710656
  - id: checksum
    type: u8
    doc: XXH3-64 of bytes 0 to 23 and the directory.
  - id: directory
    type: entry(_index)
    repeat: expr
    repeat-expr: num_sections
instances:
  directory_end:
    value: 32 + 24 * num_sections
  base_index:
    value: 'directory[1].name == "BASE" ? 1 : 0'
    doc: 0 if there is no such section; section 0 is CONF.
  lrnd_index:
    value: 'base_index + 1 < num_sections and directory[base_index + 1].name == "LRND" ? base_index + 1 : 0'
  tokn_index:
    value: 'lrnd_index + 1 < num_sections and directory[lrnd_index + 1].name == "TOKN" ? lrnd_index + 1 : 0'
  has_embd:
    value: 'directory[num_sections - 1].name == "EMBD"'
  card_index:
    value: 'not has_embd and directory[num_sections - 1].name == "CARD" ? num_sections - 1 : has_embd and directory[num_sections - 2].name == "CARD" ? num_sections - 2 : 0'
  base:
    pos: directory[base_index].begin
    size: directory[base_index].len_section
    type: base
    if: base_index > 0
  conf:
    pos: directory[0].begin
    size: directory[0].len_section
    type: conf
  lrnd:
    pos: directory[lrnd_index].begin
    size: directory[lrnd_index].len_section
    type: lrnd
    if: lrnd_index > 0
  tokn:
    pos: directory[tokn_index].begin
    size: directory[tokn_index].len_section
    if: tokn_index > 0 and conf.tokenizer != 2
    doc: Merges and special tokens, of tokenizer 1.
  byte_set:
    pos: directory[tokn_index].begin
    size: directory[tokn_index].len_section
    type: byte_set
    if: tokn_index > 0 and conf.tokenizer == 2
  card:
    pos: directory[card_index].begin
    size: directory[card_index].len_section
    type: str
    encoding: UTF-8
    if: card_index > 0
    doc: A JSON object.
  embd:
    pos: directory[num_sections - 1].begin
    size: directory[num_sections - 1].len_section
    type: embd
    if: base_index == 0
  rows:
    pos: directory[num_sections - 1].begin
    size: directory[num_sections - 1].len_section
    type: rows
    if: base_index > 0 and has_embd
    doc: Of a delta.
  hash:
    pos: len_body
    size: 64
    doc: BLAKE2b-512 of the hashes of the body's pieces.
  signature:
    pos: len_body + 64
    type: signature
    if: _io.size > len_body + 64
enums:
  kind:
    1: matrix
    2: norm
  number:
    0: f32
    1: f16
    2: q8
    3: q4
    5: ternary
    6: q4_row
types:
  entry:
    params:
      - id: index
        type: u2
    seq:
      - id: name
        type: str
        size: 4
      - id: flags
        type: u4
        valid: 0
      - id: len_section
        type: u8
        valid:
          min: 1
      - id: checksum
        type: u8
        doc: XXH3-64 of the section.
    instances:
      alignment:
        value: 'name == "EMBD" ? 64 : 8'
      gap_begin:
        value: 'index == 0 ? _root.directory_end : _root.directory[index - 1].end.as<u8>'
      begin:
        value: (gap_begin + alignment - 1) / alignment * alignment
      end:
        value: begin + len_section
      gap:
        io: _root._io
        pos: gap_begin
        size: begin - gap_begin
        doc: Zeros.
  conf:
    seq:
      - id: architecture
        type: u2
        valid:
          max: 2
        doc: 0 is GPT-2, 1 is smol, 2 is a delta.
      - id: features
        type: u2
        valid:
          max: 127
        doc: Bits; 0 for GPT-2; of a delta those of its models.
      - id: num_layers
        type: u4
        valid:
          min: 1
          max: 256
      - id: num_heads
        type: u4
        valid:
          min: 1
          max: 1024
      - id: width
        type: u4
        valid:
          min: 1
          max: 65536
      - id: num_ff
        type: u4
        valid:
          min: 1
          max: 262144
      - id: context
        type: u4
        valid:
          min: 1
          max: 1048576
      - id: vocab
        type: u4
        valid:
          min: 1
          max: 16777216
      - id: ln_epsilon
        type: f4
      - id: seed
        type: u8
      - id: wte_type
        type: u1
        enum: number
      - id: wpe_type
        type: u1
        enum: number
      - id: tokenizer
        type: u1
        valid:
          max: 2
        doc: 0 bytes, 1 BPE, 2 a set of bytes.
      - id: num_schemes
        type: u1
        valid:
          min: 2
          max: 32
      - id: num_spans
        type: u2
        valid:
          min: 1
          max: num_layers
      - id: ln_f
        type: u1
      - id: head_type
        type: u1
        valid:
          max: 4
        doc: Of temperatures and slope factors, 0 f32, 1 f16, 4 q8 in blocks.
      - id: logit_scale
        type: f4
      - id: output_type
        type: u1
        enum: number
      - id: num_models
        type: u1
        valid:
          max: 8
        doc: Over 0 only in a delta, as the next two.
      - id: num_deltas
        type: u2
        valid:
          max: 8
      - id: num_rows
        type: u4
        repeat: expr
        repeat-expr: 'architecture == 2 ? 2 : 0'
        doc: Of wte, and of the output table, that it changes.
      - id: schemes
        type: scheme(_index)
        repeat: expr
        repeat-expr: num_schemes
      - id: spans
        type: span
        repeat: expr
        repeat-expr: num_spans
    instances:
      has_distances:
        value: (features & 1) != 0
      has_slope_factors:
        value: (features & 2) != 0
      has_temperatures:
        value: (features & 4) != 0
      has_half_shift:
        value: (features & 8) != 0
      has_relu2:
        value: (features & 16) != 0
      has_output_table:
        value: (features & 32) != 0
      has_history:
        value: (features & 64) != 0
  scheme:
    doc: How a matrix, or the gain and bias of a LayerNorm, is made.
    params:
      - id: index
        type: u1
    seq:
      - id: kind_and_terms
        type: u1
        doc: The lowest three bits are the kind; bits 8, 16, 32, 64 and 128 are numbers of models, gains, biases, a sparse term and a gain of the layer's projection.
      - id: source
        type: u1
        valid:
          max: 10
      - id: dist
        type: u1
        valid:
          max: 1
      - id: d
        type: u1
        valid:
          max: 64
      - id: rank
        type: u2
        valid:
          max: 4096
      - id: alpha_type
        type: u1
        valid:
          max: 5
        doc: 0 f32, 1 f16, 4 q8 in blocks; of stored rows that of a table.
      - id: value_type
        type: u1
        valid:
          max: 4
      - id: sigma
        type: f4
      - id: dimensions
        type: u4
        valid:
          max: 1048576
    instances:
      kind:
        value: kind_and_terms & 7
        enum: kind
      has_models:
        value: (kind_and_terms & 8) != 0
      has_gains:
        value: (kind_and_terms & 16) != 0
      has_biases:
        value: (kind_and_terms & 32) != 0
      has_sparse:
        value: (kind_and_terms & 64) != 0
      has_layer_gain:
        value: (kind_and_terms & 128) != 0
      is_matrix:
        value: kind == kind::matrix
      is_shared:
        value: is_matrix and (source == 2 or source == 4 or source == 6)
      has_own:
        value: source == 1 or (is_matrix and (source == 3 or source == 5))
      is_nola:
        value: is_matrix and source == 8
      is_mask:
        value: is_matrix and source == 9
      is_stored:
        value: is_matrix and source == 10
      num_numbers:
        value: 'is_matrix and source >= 3 and source <= 6 ? dimensions : d'
        doc: The length of its vector of alphas, or of the vector that a projection starts from.
      first_shared:
        value: 'is_shared ? index : index + 1 < _root.conf.num_schemes ? _root.conf.schemes[index + 1].first_shared.as<u1> : 255'
        doc: The first scheme from this one on that uses the file's vector; 255 if there is none.
  span:
    seq:
      - id: num_layers
        type: u2
        valid:
          min: 1
      - id: slots
        type: u1
        repeat: expr
        repeat-expr: 6
        doc: Schemes of ln_1, attn.c_attn, attn.c_proj, ln_2, mlp.c_fc, mlp.c_proj.
  lrnd:
    seq:
      - id: shared
        type: numbers(_root.conf.schemes[_root.conf.schemes[0].first_shared].alpha_type, _root.conf.schemes[_root.conf.schemes[0].first_shared].num_numbers)
        if: _root.conf.schemes[0].first_shared < 255
      - id: spans
        type: span_params(_index)
        repeat: expr
        repeat-expr: _root.conf.num_spans
      - id: ln_f
        type: norm(_root.conf.ln_f)
      - id: history
        type: numbers(_root.conf.head_type, 5)
        if: _root.conf.has_history
  span_params:
    params:
      - id: index
        type: u2
    seq:
      - id: layers
        type: layer_params(index)
        repeat: expr
        repeat-expr: _root.conf.spans[index].num_layers
  layer_params:
    params:
      - id: span
        type: u2
    seq:
      - id: layer_gain
        type: numbers(_root.conf.schemes[_root.conf.schemes[0].first_shared].alpha_type, 1)
        if: _root.conf.schemes[_root.conf.spans[span].slots[1]].has_layer_gain or _root.conf.schemes[_root.conf.spans[span].slots[2]].has_layer_gain or _root.conf.schemes[_root.conf.spans[span].slots[4]].has_layer_gain or _root.conf.schemes[_root.conf.spans[span].slots[5]].has_layer_gain
      - id: temperatures
        type: numbers(_root.conf.head_type, _root.conf.num_heads)
        if: _root.conf.has_temperatures
      - id: slope_factors
        type: numbers(_root.conf.head_type, _root.conf.num_heads)
        if: _root.conf.has_slope_factors
      - id: ln_1
        type: norm(_root.conf.spans[span].slots[0])
      - id: attn_c_attn
        type: matrix(_root.conf.spans[span].slots[1], 3 * _root.conf.width, _root.conf.width)
      - id: attn_c_proj
        type: matrix(_root.conf.spans[span].slots[2], _root.conf.width, _root.conf.width)
      - id: ln_2
        type: norm(_root.conf.spans[span].slots[3])
      - id: mlp_c_fc
        type: matrix(_root.conf.spans[span].slots[4], _root.conf.num_ff, _root.conf.width)
      - id: mlp_c_proj
        type: matrix(_root.conf.spans[span].slots[5], _root.conf.width, _root.conf.num_ff)
  norm:
    params:
      - id: scheme
        type: u1
    seq:
      - id: gain
        type: numbers(number_type, num_numbers)
      - id: bias
        type: numbers(number_type, num_numbers)
    instances:
      number_type:
        value: '_root.conf.schemes[scheme].source == 2 ? _root.conf.schemes[scheme].value_type : _root.conf.schemes[scheme].alpha_type'
      num_numbers:
        value: '_root.conf.schemes[scheme].source == 2 ? _root.conf.width : _root.conf.schemes[scheme].source == 1 ? _root.conf.schemes[scheme].d : 0'
  matrix:
    params:
      - id: scheme
        type: u1
      - id: rows
        type: u4
      - id: cols
        type: u4
    seq:
      - id: own
        type: numbers(_root.conf.schemes[scheme].alpha_type, _root.conf.schemes[scheme].num_numbers)
        if: _root.conf.schemes[scheme].has_own
      - id: nola_a
        type: numbers(_root.conf.schemes[scheme].alpha_type, _root.conf.schemes[scheme].d)
        if: _root.conf.schemes[scheme].is_nola
      - id: nola_b
        type: numbers(_root.conf.schemes[scheme].alpha_type, _root.conf.schemes[scheme].d)
        if: _root.conf.schemes[scheme].is_nola
      - id: mask
        size: (cols + 7) / 8
        repeat: expr
        repeat-expr: rows
        if: _root.conf.schemes[scheme].is_mask
        doc: A bit for each weight, row by row.
      - id: stored
        type: table(_root.conf.schemes[scheme].alpha_type, rows, cols, 1)
        if: _root.conf.schemes[scheme].is_stored
      - id: factor_a
        type: numbers(_root.conf.schemes[scheme].value_type, _root.conf.schemes[scheme].rank * cols)
        if: _root.conf.schemes[scheme].rank > 0 and not _root.conf.schemes[scheme].is_nola
      - id: factor_b
        type: numbers(_root.conf.schemes[scheme].value_type, rows * _root.conf.schemes[scheme].rank)
        if: _root.conf.schemes[scheme].rank > 0 and not _root.conf.schemes[scheme].is_nola
      - id: sparse
        type: numbers(_root.conf.schemes[scheme].value_type, rows * _root.conf.schemes[scheme].dimensions)
        if: _root.conf.schemes[scheme].has_sparse
      - id: gains
        type: numbers(_root.conf.schemes[scheme].value_type, rows)
        if: _root.conf.schemes[scheme].has_gains
      - id: biases
        type: numbers(_root.conf.schemes[scheme].value_type, rows)
        if: _root.conf.schemes[scheme].has_biases
      - id: models
        type: numbers(_root.conf.schemes[scheme].value_type, _root.conf.num_models)
        if: _root.conf.schemes[scheme].has_models
  numbers:
    params:
      - id: number_type
        type: u1
      - id: count
        type: u8
    seq:
      - id: value
        type:
          switch-on: number_type
          cases:
            0: f4
            1: u2
        repeat: expr
        repeat-expr: count
        if: number_type < 4
      - id: blocks
        type: block(_index, count)
        repeat: expr
        repeat-expr: (count + 63) / 64
        if: number_type == 4
  block:
    params:
      - id: index
        type: u8
      - id: count
        type: u8
    seq:
      - id: scale
        type: u2
        valid:
          max: 0x5d80
        doc: The upper half of an f32.
      - id: q
        type: s1
        repeat: expr
        repeat-expr: 'count - 64 * index < 64 ? count - 64 * index : 64'
  embd:
    seq:
      - id: wte
        type: table(_root.conf.wte_type.to_i, _root.conf.vocab, _root.conf.width, 64)
      - id: wpe
        type: table(_root.conf.wpe_type.to_i, _root.conf.context, _root.conf.width, 64)
        if: not _root.conf.has_distances
      - id: output
        type: table(_root.conf.output_type.to_i, _root.conf.vocab, _root.conf.width, 64)
        if: _root.conf.has_output_table
  base:
    doc: The files that a delta changes, models first.
    seq:
      - id: parts
        type: part
        repeat: expr
        repeat-expr: _root.conf.num_models + _root.conf.num_deltas
  part:
    seq:
      - id: hash
        size: 64
      - id: factor
        type: f4
  rows:
    seq:
      - id: input_tokens
        type: u4
        repeat: expr
        repeat-expr: _root.conf.num_rows[0]
      - id: output_tokens
        type: u4
        repeat: expr
        repeat-expr: _root.conf.num_rows[1]
      - id: padding
        size: (64 - 4 * (_root.conf.num_rows[0] + _root.conf.num_rows[1]) % 64) % 64
      - id: input
        type: table(_root.conf.wte_type.to_i, _root.conf.num_rows[0], _root.conf.width, 64)
        if: _root.conf.num_rows[0] > 0
      - id: output
        type: table(_root.conf.output_type.to_i, _root.conf.num_rows[1], _root.conf.width, 64)
        if: _root.conf.num_rows[1] > 0
  byte_set:
    doc: Which bytes are tokens, a bit each; of bits, 1 if one token stands for all others, 2 if the last one is the end of text.
    seq:
      - id: bitmap
        size: 32
      - id: bits
        type: u1
        valid:
          max: 3
  table:
    doc: Rows of numbers, embeddings or those of a stored matrix; each part is padded with zeros to a multiple of some bytes, but q4-row as a whole.
    params:
      - id: number_type
        type: u1
      - id: rows
        type: u4
      - id: cols
        type: u4
      - id: alignment
        type: u1
    seq:
      - id: scale
        type: f4
        if: number_type == 6
        doc: Of all rows.
      - id: row_multipliers
        type: u1
        repeat: expr
        repeat-expr: rows
        if: number_type == 6
      - id: numbers
        type:
          switch-on: number_type
          cases:
            0: f4
            1: u2
            2: s1
            3: u1
            5: u1
            6: u1
        repeat: expr
        repeat-expr: num_numbers
        doc: Row by row; of q4, q4-row and ternary the bytes that hold two, two and five numbers each.
      - id: numbers_padding
        size: (alignment - (len_before + len_numbers) % alignment) % alignment
      - id: multipliers
        type: u1
        repeat: expr
        repeat-expr: rows * 2 * num_chunks
        if: number_type == 3
      - id: multipliers_padding
        size: (alignment - rows * 2 * num_chunks % alignment) % alignment
        if: number_type == 3
      - id: scales
        type: f4
        repeat: expr
        repeat-expr: rows
        if: number_type >= 2 and number_type != 6
      - id: scales_padding
        size: (alignment - rows * 4 % alignment) % alignment
        if: number_type >= 2 and number_type != 6
    instances:
      num_chunks:
        value: (cols + 63) / 64
      num_numbers:
        value: 'number_type == 3 ? rows * 32 * num_chunks : number_type == 5 ? rows * ((cols + 4) / 5) : number_type == 6 ? rows * ((cols + 1) / 2) : rows * cols'
      len_before:
        value: 'number_type == 6 ? 4 + rows : 0'
      len_numbers:
        value: 'num_numbers * (number_type == 0 ? 4 : number_type == 1 ? 2 : 1)'
  signature:
    seq:
      - id: key_number
        size: 8
      - id: public_key
        size: 32
      - id: signature
        size: 64
