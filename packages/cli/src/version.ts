/** The version of this command; the test holds it to package.json. */
export const version = '0.1.0';
