//! Judging requests: by their sender's templates, by who their person is, and by what that person wants.

use std::collections::HashMap;

use super::check::check;
use super::reach::Reached;
use super::request::{MessageSpec, SendRequest};
use crate::model::{AccountKind, AppId, Channel, Consent, OpenId, TemplateId, UnionId};
use crate::push::error::{Error, Refusal};
use crate::push::{Push, Sender};
use crate::resolve::User;
use crate::store::consents::{self, ConsentRecord};
use crate::store::messages::Route;
use crate::store::{self, AccountId};

/// For how long a person's refusal of a template is taken to hold: they can take it back in WeChat, which
/// does not tell.
const REFUSAL_HOLDS_MS: i64 = 7 * 24 * 3_600 * 1_000;

/// A message that can be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sendable {
    pub(super) unionid: Option<UnionId>,
    pub(super) route: Route,
    pub(super) fallback: Option<Route>,
}

/// One way for a request, and where it leads.
type Way = (Route, Option<UnionId>);

impl Push {
    /// What can be sent of each request, in their order.
    pub(super) async fn judge(
        &self,
        requests: &[SendRequest],
    ) -> Result<Vec<Result<Sendable, Refusal>>, Error> {
        let messages: Vec<_> =
            requests.iter().map(|request| (&request.to, &request.message)).collect();
        let with_fallback =
            requests.iter().filter_map(|request| Some((&request.to, request.fallback.as_ref()?)));
        let fallbacks: Vec<_> = with_fallback.collect();
        let messages = self.ways(&messages).await?;
        let mut fallbacks = self.ways(&fallbacks).await?.into_iter();
        let judged = requests.iter().zip(messages).map(|(request, message)| {
            let fallback = request.fallback.as_ref().and_then(|_| fallbacks.next());
            sendable(message, fallback)
        });
        Ok(judged.collect())
    }

    /// The way of each spec to its person, or why there is none.
    async fn ways(
        &self,
        specs: &[(&User, &MessageSpec)],
    ) -> Result<Vec<Result<Way, Refusal>>, Error> {
        let mut groups: HashMap<(&AppId, &TemplateId), Vec<usize>> = HashMap::new();
        for (place, (user, spec)) in specs.iter().enumerate() {
            self.know(user)?;
            let sender = self.sender(spec.channel, spec.sender.as_ref())?;
            groups.entry((sender.wechat.appid(), &spec.template_id)).or_default().push(place);
        }
        let mut ways: Vec<Option<Result<Way, Refusal>>> = vec![None; specs.len()];
        for ((appid, template_id), places) in groups {
            let group: Vec<_> = places.iter().map(|place| specs[*place]).collect();
            let sender = &self.senders[appid];
            for (place, way) in places.iter().zip(self.ways_of(sender, template_id, &group).await?)
            {
                ways[*place] = Some(way);
            }
        }
        Ok(ways.into_iter().flatten().collect())
    }

    /// The same, of specs that use one template of one sender.
    async fn ways_of(
        &self,
        sender: &Sender,
        template_id: &TemplateId,
        specs: &[(&User, &MessageSpec)],
    ) -> Result<Vec<Result<Way, Refusal>>, Error> {
        let appid = sender.wechat.appid();
        let known = sender.templates.find(sender.channel, &sender.wechat, template_id).await;
        let users: Vec<&User> = specs.iter().map(|(user, _)| *user).collect();
        let found = self.reach(sender, &users).await?;
        let reached: Vec<&OpenId> = found.iter().flatten().map(|reached| &reached.openid).collect();
        let number = self.number(appid).await?;
        let refused = match sender.channel {
            Channel::Template => {
                store::in_time(self.refused(number, template_id, &reached)).await?
            }
            // Consent comes and goes with every prompt there, so WeChat is asked.
            Channel::Subscribe => Vec::new(),
        };
        let way = |((_, spec), found): (&(&User, &MessageSpec), Result<Reached, Refusal>)| {
            let checked = check(appid, template_id, &known, &spec.content);
            checked.map_err(|refusal| match spec.channel {
                Channel::Template => refusal,
                // As the request names its parts.
                Channel::Subscribe => refusal.within("subscribe"),
            })?;
            let Reached { openid, unionid } = found?;
            if refused.contains(&openid) {
                return Err(Refusal::RefusedByUser);
            }
            let (channel, content) = (spec.channel, spec.content.clone());
            let template_id = template_id.clone();
            Ok((Route { channel, account: number, openid, template_id, content }, unionid))
        };
        Ok(specs.iter().zip(found).map(way).collect())
    }

    /// Who of these people refused the template lately.
    async fn refused(
        &self,
        account: AccountId,
        template_id: &TemplateId,
        openids: &[&OpenId],
    ) -> Result<Vec<OpenId>, store::Error> {
        let reader = self.store.reader();
        let words = consents::list_by_openids(reader, account, template_id, openids).await?;
        let now = match words.is_empty() {
            true => 0,
            false => self.store.now().await?,
        };
        let holds = |word: &ConsentRecord| {
            word.consent == Consent::Refused && now - word.changed_at < REFUSAL_HOLDS_MS
        };
        Ok(words.into_iter().filter(|(_, word)| holds(word)).map(|(openid, _)| openid).collect())
    }

    /// Refuses a person of an account that is not configured.
    fn know(&self, user: &User) -> Result<(), Error> {
        match user {
            User::OpenId { appid, .. } if !self.senders.contains_key(appid) => {
                Err(self.accounts.unknown(AccountKind::Any, appid).into())
            }
            _ => Ok(()),
        }
    }
}

/// The message, or its fallback where the person cannot be reached by it.
fn sendable(
    message: Result<Way, Refusal>,
    fallback: Option<Result<Way, Refusal>>,
) -> Result<Sendable, Refusal> {
    let fallback = match fallback {
        Some(Err(refusal)) if !refusal.is_of_person() => return Err(refusal.within("fallback")),
        other => other.and_then(Result::ok),
    };
    match (message, fallback) {
        (Ok((route, unionid)), fallback) => {
            Ok(Sendable { unionid, route, fallback: fallback.map(|(route, _)| route) })
        }
        (Err(refusal), Some((route, unionid))) if refusal.is_of_person() => {
            Ok(Sendable { unionid, route, fallback: None })
        }
        (Err(refusal), _) => Err(refusal),
    }
}
