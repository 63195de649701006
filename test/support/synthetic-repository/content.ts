import { type ByteString, utf8 } from './odd-names.ts'
import type { Random } from './random.ts'

const WORDS = [
  ...['account', 'batch', 'cache', 'driver', 'event', 'filter', 'group', 'handle', 'index', 'join'],
  ...['key', 'ledger', 'merge', 'node', 'order', 'page', 'query', 'range', 'stream', 'table'],
  ...['union', 'value', 'window', 'export', 'yield', 'zone', 'buffer', 'client', 'delta', 'entry'],
] as unknown as readonly [string, ...string[]]

const EXTENSIONS = ['.ts', '.ts', '.ts', '.sql', '.md', '.json', '.py', '.c', '.h', ''] as const

/** Makes a path that programmers would choose, in a directory of up to four levels. */
export function ordinaryPath(random: Random): ByteString {
  const directories = ['src', 'test', 'docs', 'lib', 'tools'] as const
  const path: string[] = [random.pick(directories)]
  for (let level = random.below(4); level > 0; level -= 1) path.push(random.pick(WORDS))
  // Numbered, so that no file's name is a directory's.
  const file = `${random.pick(WORDS)}-${random.pick(WORDS)}-${random.below(100)}`
  return `${path.join('/')}/${file}${random.pick(EXTENSIONS)}`
}

/** Makes a text file. Some do not end in a newline; some have Windows line ends. */
export function textContent(random: Random): ByteString {
  const newline = random.chance(0.02) ? '\r\n' : '\n'
  const lines = Array.from({ length: random.skewed(160) }, () => line(random))
  return lines.join(newline) + (random.chance(0.95) ? newline : '')
}

/**
 * Changes, adds and removes runs of lines, in one to three places. Long files lose more than they
 * gain, so that a file which is edited often does not grow without end.
 */
export function editText(content: ByteString, random: Random): ByteString {
  const lines = content.split('\n')
  for (let hunk = 1 + random.below(3); hunk > 0; hunk -= 1) {
    const removed = random.chance(0.6) ? random.skewed(12 + lines.length / 8) : 0
    const added = random.chance(0.7) ? 1 + random.skewed(14) : 0
    const fresh = Array.from({ length: added }, () => line(random))
    lines.splice(random.below(lines.length), removed, ...fresh)
  }
  return lines.join('\n')
}

/** Makes bytes that git takes for binary: they hold NUL early. */
export function binaryContent(random: Random): ByteString {
  const bytes = Array.from({ length: 16 + random.skewed(600) }, () => random.below(256))
  return String.fromCharCode(0x89, 0, ...bytes)
}

/** Makes the message of an ordinary commit. */
export function ordinaryMessage(random: Random): ByteString {
  const verb = random.pick(['Add', 'Fix', 'Move', 'Drop', 'Rename', 'Test', 'Speed up'])
  const subject = `${verb} ${random.pick(WORDS)} ${random.pick(WORDS)}`
  return random.chance(0.3) ? `${subject}\n\n${line(random)}\n${line(random)}\n` : `${subject}\n`
}

/** Makes a word, for names of people and branches. */
export function word(random: Random): string {
  return random.pick(WORDS)
}

function line(random: Random): ByteString {
  if (random.chance(0.05)) return ''
  if (random.chance(0.01)) return utf8(`  // naïve ${random.pick(WORDS)} 🎉`)
  const call = `${random.pick(WORDS)}(${random.pick(WORDS)}, ${random.below(1000)})`
  return `${'  '.repeat(random.below(4))}${call}`
}
