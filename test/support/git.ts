import { execFileSync } from 'node:child_process'
import { vi } from 'vitest'

/** Runs git in a directory and returns what it prints, one character a byte. */
export function git(directory: string, ...args: readonly string[]): string {
  const who = ['-c', 'user.name=Test', '-c', 'user.email=test@example.org']
  return execFileSync('git', ['-C', directory, ...who, ...args], {
    encoding: 'latin1',
    maxBuffer: 2 ** 28,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** Hides the machine's git configuration until `vi.unstubAllEnvs`. */
export function hideGitConfig(): void {
  vi.stubEnv('GIT_CONFIG_GLOBAL', '/dev/null')
  vi.stubEnv('GIT_CONFIG_NOSYSTEM', '1')
  vi.stubEnv('GIT_CONFIG_COUNT', '0')
}

/** Gives git a user's configuration until `vi.unstubAllEnvs`. */
export function setGitConfig(config: Readonly<Record<string, string>>): void {
  const entries = Object.entries(config)
  vi.stubEnv('GIT_CONFIG_COUNT', String(entries.length))
  for (const [index, [key, value]] of entries.entries()) {
    vi.stubEnv(`GIT_CONFIG_KEY_${index}`, key)
    vi.stubEnv(`GIT_CONFIG_VALUE_${index}`, value)
  }
}
