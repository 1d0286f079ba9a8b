//! People at phones that speak SIP, and the provider of the public network. Who hears whom is told by
//! the tones that they speak.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::Context as _;
use futures::future::try_join_all;
use phones::agent::{Agent, Settings};
use phones::digest::Credentials;
use phones::{Manner, Phone, Provider, Voice};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Behaviour, PATIENCE, RINGING, Sound, Who};

/// The pitch of the music of the demo's own Asterisk, in hertz.
pub(in crate::commands::demo) const MUSIC: f64 = 1_450.0;

/// The pitch of the first phone, and what each next one is higher: above all prompts, below the music.
const FIRST_PITCH: f64 = 650.0;
const STEP: f64 = 80.0;

/// Everybody outside who speaks in the demo.
const OUTSIDE: [&str; 3] = ["12065550100", "12065550177", "12065550188"];

/// Something is heard when it fills as many fifths of a second on end: in one alone what was heard before
/// and after could mix.
const TIMES: usize = 2;

/// The phones and the provider.
#[derive(Debug)]
pub(in crate::commands::demo) struct Sip {
    provider: Provider,
    phones: BTreeMap<String, Phone>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Drop for Sip {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Sip {
    /// Starts the provider on an address of this machine; phones come later.
    pub(in crate::commands::demo) async fn start(
        address: IpAddr,
        tasks: &TaskTracker,
    ) -> anyhow::Result<Self> {
        let (tasks, stop) = (tasks.clone(), CancellationToken::new());
        let settings = Settings {
            user: "provider".to_owned(),
            credentials: None,
            address,
            tasks: tasks.clone(),
            stop: stop.clone(),
        };
        let provider = Provider::start(settings, RINGING).await?;
        Ok(Self { provider, phones: BTreeMap::new(), tasks, stop })
    }

    /// Where the provider takes calls.
    pub(in crate::commands::demo) fn provider_port(&self) -> u16 {
        self.provider.port()
    }

    /// Gives everybody a phone, by account and password, all at one switch.
    pub(in crate::commands::demo) async fn plug_in(
        &mut self,
        switch: SocketAddr,
        passwords: &BTreeMap<String, String>,
    ) -> anyhow::Result<()> {
        self.provider.set_switch(switch);
        self.phones.clear();
        let mut pitch = FIRST_PITCH;
        for (account, password) in passwords {
            let settings = Settings {
                user: account.clone(),
                credentials: Some(Credentials {
                    user: account.clone(),
                    password: password.clone(),
                }),
                address: switch.ip(),
                tasks: self.tasks.clone(),
                stop: self.stop.clone(),
            };
            let phone = Phone::start(settings, pitch).await?;
            phone.set_manner(Manner::AnswerAfter(RINGING));
            phone.set_switch(switch);
            self.phones.insert(account.clone(), phone);
            pitch += STEP;
        }
        Ok(())
    }

    /// Registers all phones.
    pub(in crate::commands::demo) async fn register(
        &self,
        patience: Duration,
    ) -> Result<(), phones::Error> {
        try_join_all(self.phones.values().map(|phone| phone.register(patience))).await?;
        Ok(())
    }

    fn phone(&self, account: &str) -> anyhow::Result<&Phone> {
        self.phones.get(account).with_context(|| format!("account {account} has no phone"))
    }

    pub(super) fn set(&self, account: &str, behaviour: Behaviour) -> anyhow::Result<()> {
        self.phone(account)?.set_manner(match behaviour {
            Behaviour::Manual => Manner::Ring,
            Behaviour::Usual => Manner::AnswerAfter(RINGING),
        });
        Ok(())
    }

    pub(super) async fn dial(&self, account: &str, destination: &str) -> anyhow::Result<()> {
        self.phone(account)?.dial(destination, "", account).await?;
        Ok(())
    }

    pub(super) async fn hang_up(&self, account: &str) -> anyhow::Result<()> {
        let phone = self.phone(account)?;
        let call = phone.newest().with_context(|| format!("{account} is in no call"))?;
        Ok(phone.hang_up(&call).await?)
    }

    /// Answers what rings; `false` when nothing does.
    pub(super) async fn answer(&self, account: &str) -> anyhow::Result<bool> {
        let phone = self.phone(account)?;
        let Some(call) = phone.rings() else { return Ok(false) };
        phone.answer(&call).await?;
        Ok(true)
    }

    pub(super) async fn call_in(&self, from: &str, name: &str, to: &str) -> anyhow::Result<String> {
        Ok(self.provider.dial(to, name, from).await?)
    }

    pub(super) async fn press(&self, call: &str, keys: &str) -> anyhow::Result<()> {
        for key in keys.chars() {
            self.provider.press(call, key).await?;
        }
        Ok(())
    }

    pub(super) async fn caller_hangs_up(&self, call: &str) -> anyhow::Result<()> {
        Ok(self.provider.hang_up(call).await?)
    }

    pub(super) async fn hears(
        &self,
        who: Who<'_>,
        sound: Sound<'_>,
        since: Instant,
    ) -> anyhow::Result<()> {
        let (name, voice) = match who {
            Who::Phone(account) => (account, newest_voice(self.phone(account)?)),
            Who::Caller(caller) => ("the caller", self.provider.voice(&caller.leg)),
        };
        let voice = voice.with_context(|| format!("{name} is in no call"))?;
        let tones = self.tones(sound)?;
        let heard = voice.until_heard(since, &tones, TIMES, PATIENCE).await;
        heard.with_context(|| format!("{name} does not hear {sound:?}"))
    }

    /// Every tone that there is, and whether it is in a sound.
    fn tones(&self, sound: Sound<'_>) -> anyhow::Result<Vec<(f64, bool)>> {
        let speaks = |name: &str| matches!(sound, Sound::Parties(list) if list.contains(&name));
        let inside = self.phones.iter().map(|(account, phone)| (phone.tone(), speaks(account)));
        let outside = OUTSIDE.map(|number| (Provider::tone(number), speaks(number)));
        let prompts = switch::audio::builtin_pitches()
            .map(|(path, pitch)| (pitch, matches!(sound, Sound::Prompt(one) if one == path)));
        let music = (MUSIC, matches!(sound, Sound::Music));
        let tones: Vec<_> = inside.chain(outside).chain(prompts).chain([music]).collect();
        let expected = if let Sound::Parties(list) = sound { list.len() } else { 1 };
        let known = tones.iter().filter(|(_, is_heard)| *is_heard).count();
        anyhow::ensure!(known == expected, "{sound:?} is in part nothing that can be heard");
        Ok(tones)
    }
}

fn newest_voice(agent: &Agent) -> Option<Voice> {
    agent.voice(&agent.newest()?)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[tokio::test]
    async fn no_two_sounds_have_nearly_one_pitch() {
        let tasks = TaskTracker::new();
        let mut sip = Sip::start(Ipv4Addr::LOCALHOST.into(), &tasks).await.unwrap();
        let accounts = ["101", "102", "103", "104", "105", "201", "202", "301"];
        let passwords = accounts.map(|id| (id.to_owned(), "s3cret".to_owned())).into();
        sip.plug_in(SocketAddr::from((Ipv4Addr::LOCALHOST, 9)), &passwords).await.unwrap();

        let tones = sip.tones(Sound::Parties(&["101", "12065550100"])).unwrap();

        assert_eq!(tones.iter().filter(|(_, is_heard)| *is_heard).count(), 2);
        let mut pitches: Vec<f64> = tones.iter().map(|(pitch, _)| *pitch).collect();
        pitches.sort_by(f64::total_cmp);
        assert!(pitches.windows(2).all(|pair| pair[1] - pair[0] >= 20.0), "{pitches:?}");
        assert!(sip.tones(Sound::Prompt("visa/approved.g729")).is_err(), "a silent one");
    }
}
