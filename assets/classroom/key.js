// A teacher's keys stay in her own browser, so that a reload leaves her the class; they are in no address.

export default function ({ data }) {
  const day = 24 * 60 * 60;
  document.cookie = `${data.name}=${data.value}; path=/; max-age=${data.days * day}; SameSite=Strict`;
}
