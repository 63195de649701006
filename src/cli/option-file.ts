import { readFile, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { TidemarkError } from '../core/tidemark-error.ts'

/**
 * Reads a file that an option names.
 *
 * @throws OPTION_INVALID when it cannot be read.
 */
export async function readOptionFile(cwd: string, option: string, path: string): Promise<string> {
  try {
    return await readFile(resolve(cwd, path), 'utf8')
  } catch (error) {
    throw invalidFile(option, path, (error as Error).message, error)
  }
}

/**
 * Reads a file of JSON that an option names.
 *
 * @throws OPTION_INVALID when it cannot be read or is not JSON.
 */
export async function readOptionJson(cwd: string, option: string, path: string): Promise<unknown> {
  const text = await readOptionFile(cwd, option, path)
  try {
    return JSON.parse(text)
  } catch (error) {
    throw invalidFile(option, path, 'it is not JSON', error)
  }
}

/**
 * Writes a file that an option names. One that exists stays as it is.
 *
 * @throws OPTION_INVALID when it exists or cannot be written.
 */
export async function writeOptionFile(
  cwd: string,
  option: string,
  path: string,
  text: string,
): Promise<void> {
  try {
    await writeFile(resolve(cwd, path), text, { flag: 'wx' })
  } catch (error) {
    throw invalidFile(option, path, (error as Error).message, error)
  }
}

function invalidFile(option: string, path: string, reason: string, cause: unknown): TidemarkError {
  return new TidemarkError('OPTION_INVALID', `option "${option}", file "${path}": ${reason}`, {
    details: { option, reason },
    cause,
  })
}
