import { createHash } from 'node:crypto'

/**
 * Text as git keeps it: one character is one byte. Paths and names need not be UTF-8, and a string
 * of bytes serves as a key where a Buffer does not.
 */
export type ByteString = string

/** Writes text as its UTF-8 bytes. */
export function utf8(text: string): ByteString {
  return Buffer.from(text, 'utf8').toString('latin1')
}

const LOOKS_LIKE_HASH = '0123456789abcdef0123456789abcdef01234567'

const ZEROS = '0'.repeat(40)

/** 904 bytes, in parts that a file system can hold. */
const LONG_DIRECTORY = [
  'length-1000',
  'long directory name, '.repeat(9),
  'c'.repeat(250),
  'd'.repeat(250),
  'e'.repeat(200),
].join('/')

/** Paths that git allows and programs trip over. Not one is a directory of another. */
export const ODD_PATHS: readonly [ByteString, ...ByteString[]] = [
  'with space.txt',
  ' leading space',
  'trailing space ',
  'tab\tinside.txt',
  'trailing tab\t',
  '\tleading tab',
  '\t',
  'new\nline.txt',
  '\nleading newline',
  'trailing newline\n',
  'carriage return\r\n',
  'quote"inside.txt',
  '"leading quote',
  '"fully quoted"',
  "it's.txt",
  'back\\slash.txt',
  'octal\\303\\251.txt',
  '-leading-dash',
  '--',
  ':leading-colon',
  ':(top)magic',
  `:100644 100644 ${ZEROS} ${ZEROS} M`,
  `:000000 100644 ${ZEROS} ${ZEROS} R100`,
  `commit ${LOOKS_LIKE_HASH}`,
  `\ncommit ${LOOKS_LIKE_HASH}`,
  `author author@example.org`,
  LOOKS_LIKE_HASH,
  '1\t2\tlooks-like-numstat',
  '3\t4\t',
  '-\t-\tlooks-binary',
  'old => new',
  'braces/{old => new}/file',
  'HEAD',
  '*.glob',
  '?[x]{y}',
  '~tilde',
  '$HOME',
  '%x00%H',
  '\x01control',
  'bell\x07 and delete\x7f',
  utf8('party 🎉.md'),
  utf8('family 👩‍👩‍👧‍👦.md'),
  utf8('composed-\u00e9.txt'),
  utf8('combining-e\u0301.txt'),
  utf8('right-to-left-\u202eabc.txt'),
  utf8('line-separator-\u2028.txt'),
  utf8('\ufeffbyte-order-mark.txt'),
  utf8('replacement-\ufffd.txt'),
  'not-utf8-\xe9.txt',
  'not-utf8-\xe8.txt',
  'not-utf8-\xff.txt',
  'cut-off-\xf0\x9f\x8e',
  'surrogate-\xed\xa0\x80.txt',
  'overlong-\xc0\xaf.txt',
  `sha256:${createHash('sha256').update('not-utf8-\xe9.txt', 'latin1').digest('hex')}`,
  `length-400/${'x'.repeat(400 - 11)}`,
  `length-401/${'x'.repeat(401 - 11)}`,
  `${LONG_DIRECTORY}/${'f'.repeat(95)}`,
  `${LONG_DIRECTORY}/${'g'.repeat(95)}`,
]

/** Whoever writes a commit, as bytes. */
export interface Author {
  readonly name: ByteString
  readonly email: ByteString
  /** The commit's `encoding` header: what its name and message are written in. */
  readonly encoding?: string
}

/** Authors that git allows and programs trip over. */
export const ODD_AUTHORS: readonly Author[] = [
  { name: '', email: 'no-name@example.org' },
  { name: 'No Address', email: '' },
  { name: '', email: '' },
  { name: 'Case', email: 'case@example.org' },
  { name: 'Case', email: 'Case@Example.org' },
  { name: 'Case', email: 'CASE@EXAMPLE.ORG' },
  { name: 'Spaces', email: 'first last at example dot org' },
  { name: 'Tabs', email: 'tab\tinside@example.org' },
  { name: 'Not An Address', email: '(none)' },
  { name: 'Quotes', email: '"quoted"@\\example.org' },
  { name: 'Looks Like A Commit', email: `commit ${LOOKS_LIKE_HASH}` },
  { name: 'Looks Like Numstat', email: '1\t2\tfile' },
  { name: 'Looks Hashed', email: `sha256:${'ab'.repeat(32)}` },
  { name: 'Long', email: `${'long.'.repeat(100)}@example.org` },
  { name: utf8('Jürgen Müßig'), email: utf8('jürgen@müßig.example.org') },
  { name: utf8('Zoe\u0308 🎉'), email: 'zoe@example.org' },
  { name: 'J\xfcrgen Latin', email: 'latin@example.org', encoding: 'ISO-8859-1' },
  { name: 'J\xfcrgen', email: 'j\xfcrgen@example.org', encoding: 'ISO-8859-1' },
  { name: 'J\xfcrgen Bytes', email: 'j\xfcrgen@example.org' },
  { name: 'J\xebrgen Bytes', email: 'j\xebrgen@example.org' },
  { name: 'Unknown Encoding \xfc', email: 'unknown@example.org', encoding: 'x-no-such' },
  { name: ':100644 100644', email: ':colon@example.org' },
  { name: '"Quoted" O\'Name \\', email: 'quoted-name@example.org' },
  { name: 'Control\x01\x1b[31m', email: 'control\x01@example.org' },
]

/** Messages that git allows and programs trip over. */
export const ODD_MESSAGES: readonly [ByteString, ...ByteString[]] = [
  '',
  '\n',
  '   \n\t\n',
  '\n\nA body after an empty subject\n',
  'A subject\nof two lines\n\nand a body\n',
  'Trailing spaces and a tab \t \n',
  'Windows line ends\r\n\r\nbody\r\n',
  '\tA leading tab\n',
  '"Quoted" \\ subject',
  ':leading colon',
  `:100644 100644 ${ZEROS} ${ZEROS} M`,
  `commit ${LOOKS_LIKE_HASH}`,
  '1\t2\tlooks like numstat',
  'Not UTF-8 \xe9\xff',
  utf8('Ship it 🎉 e\u0301 \u2028 \ufeff'),
  'Control \x01 \x1b[31mred\x1b[0m \x7f',
  '%H %x00 %s',
  `A long one: ${'and so on '.repeat(800)}`,
]
